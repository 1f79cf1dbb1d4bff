"""The timing of a file, here and on other machines, which get this source over SSH.

So it needs nothing but Python 3.8, numpy and the file's runtime. `answer` prints one line of JSON.
"""

import base64
import json
import time
from typing import Any, Callable, Dict, List

WARM_SECONDS = 0.02


def passes(
    run: Callable[[], Any], rounds: int, repeats: int, rest: float, clock: Callable[[], float]
) -> List[float]:
    """Return the ms of each pass, in some rounds with a rest before each, each warmed up."""
    times = []
    for _ in range(rounds):
        time.sleep(rest)
        end = time.perf_counter() + WARM_SECONDS
        run()
        while time.perf_counter() < end:
            run()
        for _ in range(repeats):
            start = clock()
            run()
            times.append((clock() - start) * 1e3)
    return times


def session(content: bytes, runtime: str) -> Callable[[], Any]:
    """Return a function that runs a file once, on one thread, with one random image."""
    import numpy as np

    random = np.random.default_rng(0)
    if runtime == "onnxruntime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        made = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        (source,) = made.get_inputs()
        shape = [side if isinstance(side, int) else 1 for side in source.shape]
        images = {source.name: random.random(shape, dtype=np.float32)}
        return lambda: made.run(None, images)
    interpreter = _interpreter()(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (found,) = interpreter.get_input_details()
    pixels = random.random(found["shape"])
    if found["dtype"] == np.int8:
        pixels = pixels * 255 - 128
    interpreter.set_tensor(found["index"], pixels.astype(found["dtype"]))
    return lambda: interpreter.invoke()


def _interpreter() -> Any:
    """Return LiteRT's interpreter, or that of its older package, which small boards have."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tflite_runtime.interpreter import Interpreter
    return Interpreter


def answer(asked: Dict[str, Any]) -> None:
    """Print the times of a file as JSON, or what is missing here."""
    try:
        run = session(base64.b64decode(asked["content"]), asked["runtime"])
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))
        return
    how = asked["rounds"], asked["repeats"], asked["rest"]
    print(json.dumps({"times": passes(run, *how, time.perf_counter)}))


def source(asked: Dict[str, Any], text: str) -> str:
    """Return the script to send: this module's `text`, and the call that answers."""
    return f"{text}\nanswer(json.loads({json.dumps(asked)!r}))\n"
