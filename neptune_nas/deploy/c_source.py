"""A `.tflite` file as a C array, for firmware that has no file system."""

import re
from pathlib import PurePath

from neptune_nas.deploy.quantised_graph import QuantisedGraph
from neptune_nas.deploy.tflite import OPERATORS
from neptune_nas.models.model import Model

_PER_LINE = 16  # bytes
_TAKEN = (
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t "
    "class compl const const_cast constexpr continue decltype default delete do double "
    "dynamic_cast else enum explicit export extern false float for friend goto if inline int long "
    "mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public "
    "register reinterpret_cast restrict return short signed sizeof static static_assert "
    "static_cast struct switch template this thread_local throw true try typedef typeid typename "
    "union unsigned using virtual void volatile wchar_t while xor xor_eq "
    "arena classify errno main mask ops run segment setup stderr stdin stdout"
)
"""Keywords of C and C++, and names that the header's example and every C program have."""

_ONE_LABEL = """\
 *   // Returns the place of a label, or -1. `pixels`: their bytes, row by row, channels last.
 *   int classify(const uint8_t* pixels) {{
 *     for (int i = 0; i < {pixels}; ++i) run.input(0)->data.int8[i] = pixels[i] - 128;
 *     if (run.Invoke() != kTfLiteOk) return -1;
 *     const int8_t* logits = run.output(0)->data.int8;
 *     int place = 0;
 *     for (int i = 1; i < {classes}; ++i) if (logits[i] > logits[place]) place = i;
 *     return place;  // {name}_labels[place]; a logit is (integer - zero point) * scale
 *   }}"""
_LABEL_A_PIXEL = """\
 *   // Fills `mask` with the place of a label for each of {sides} pixels, row by row; or returns
 *   // false. `pixels`: their bytes, row by row, channels last.
 *   bool segment(const uint8_t* pixels, uint8_t* mask) {{
 *     for (int i = 0; i < {pixels}; ++i) run.input(0)->data.int8[i] = pixels[i] - 128;
 *     if (run.Invoke() != kTfLiteOk) return false;
 *     const int8_t* logits = run.output(0)->data.int8;
 *     for (int p = 0; p < {sides}; ++p, logits += {classes}) {{
 *       mask[p] = 0;
 *       for (int i = 1; i < {classes}; ++i) if (logits[i] > logits[mask[p]]) mask[p] = i;
 *     }}
 *     return true;  // {name}_labels[mask[p]]; a logit is (integer - zero point) * scale
 *   }}"""
_TEMPLATE = """\
/* {title}, in int8 for TensorFlow Lite Micro: {size} bytes of flash.
 *
 * {upper}_ARENA is what tflite-micro took on a PC, with its reference kernels. A 32-bit board needs
 * a little less; a vendor's kernels, such as CMSIS-NN, may need scratch memory on top.
 *
 * Use, in C++:
 *
 *   #include "tensorflow/lite/micro/micro_interpreter.h"
 *   #include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
 *   #include "tensorflow/lite/schema/schema_generated.h"
 *   #include "{file}"
 *
 *   alignas(16) static uint8_t arena[{upper}_ARENA];
 *   static tflite::MicroMutableOpResolver<{kernels}> ops;
 *   static tflite::MicroInterpreter run(tflite::GetModel({name}), ops, arena, sizeof(arena));
 *
 *   bool setup() {{
{resolver}
 *     return run.AllocateTensors() == kTfLiteOk;
 *   }}
 *
{example}
 */
#ifndef {upper}_H_
#define {upper}_H_

#ifndef __cplusplus
#include <stdalign.h>
#endif

#define {upper}_ARENA {arena}
#define {upper}_INPUT_SCALE {input_scale:.9g}f
#define {upper}_INPUT_ZERO_POINT ({input_zero})
#define {upper}_OUTPUT_SCALE {output_scale:.9g}f
#define {upper}_OUTPUT_ZERO_POINT ({output_zero})

static const char* const {name}_labels[{classes}] = {{
{labels}
}};

static const unsigned int {name}_size = {size};
alignas(16) static const unsigned char {name}[] = {{
{array}
}};

#endif  /* {upper}_H_ */
"""


def c_source(model: Model, quantised: QuantisedGraph, content: bytes, arena: int, file: str) -> str:
    """Return the header that holds a `.tflite` file, and what firmware needs to run it.

    `arena`: the bytes of RAM that tflite-micro takes. `file`: the header's name, which names the
    array. It is C11 and C++11.
    """
    graph = quantised.graph
    source, target = quantised.scales[graph.inputs[0]], quantised.scales[graph.output]
    kernels = dict.fromkeys(OPERATORS[each.kind].name for each in graph.operations)
    channels, height, width = model.input_shape
    name = identifier(PurePath(file).stem)
    is_map = len(graph.shapes[graph.output]) == 3
    example = (_LABEL_A_PIXEL if is_map else _ONE_LABEL).format(
        name=name,
        pixels=channels * height * width,
        sides=height * width,
        classes=len(model.labels),
    )
    return _TEMPLATE.format(
        title=f"Network {_comment(model.key)}",
        file=_comment(file),
        name=name,
        upper=name.upper(),
        size=len(content),
        arena=arena,
        kernels=len(kernels),
        resolver="\n".join(f" *     ops.Add{_method(each)}();" for each in kernels),
        classes=len(model.labels),
        example=example,
        input_scale=source.step,
        input_zero=source.zero_point,
        output_scale=target.step,
        output_zero=target.zero_point,
        labels="\n".join(f'  "{_escaped(label)}",' for label in model.labels),
        array="\n".join(_lines(content)),
    )


def identifier(text: str) -> str:
    """Return a text as a name in C.

    >>> identifier("knee-32x32.int8"), identifier("8"), identifier("float")
    ('knee_32x32_int8', 'net_8', 'net_float')
    """
    name = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    is_free = name[:1].isalpha() and len(name) > 1 and name not in _TAKEN.split()
    return name if is_free else f"net_{name}".rstrip("_")


def _method(operator: str) -> str:
    """Return what the resolver of tflite-micro calls an operator.

    >>> _method("DEPTHWISE_CONV_2D")
    'DepthwiseConv2D'
    """
    return operator.title().replace("_", "")


def _lines(content: bytes) -> list[str]:
    rows = (content[start : start + _PER_LINE] for start in range(0, len(content), _PER_LINE))
    return ["  " + " ".join(f"0x{byte:02x}," for byte in row) for row in rows]


def _escaped(label: str) -> str:
    """Return a label inside quotes: what is not plain ASCII as octal bytes of UTF-8."""
    plain = {*range(0x20, 0x7F)} - {*b'"\\?'}
    return "".join(chr(b) if b in plain else f"\\{b:03o}" for b in label.encode(errors="replace"))


def _comment(text: str) -> str:
    """Return a text that does not end a comment in C."""
    return re.sub(r"[^ -~]|\*/", "_", text)
