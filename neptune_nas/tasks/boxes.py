"""The boxes of a detector: which points learn which box, the loss, and the boxes that are found.

A detector puts out a list of points for each image, see `neptune_nas.nn.dense_heads`: where each
lies, how far the sides of its box are, and a logit for each class.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from neptune_nas.data.images import BOX, NO_BOX
from neptune_nas.interrupts import ctrl_c_held
from neptune_nas.nn.dense_heads import DISTANCES, LENGTHS, POINT

MOST = 100
"""The boxes that are kept for an image, as COCO counts them."""
FOUND = BOX + 1
"""The numbers of a box that is found: those of a target, and its probability."""

_LEAST = 0.01  # probability of a box that is kept at all
_BEFORE = 300  # the most probable boxes of an image, of which overlapping ones are left out
_OVERLAP = 0.6  # IoU from which the less probable of two boxes of a class is left out
_NEAREST = 1  # points that may learn a box in which no point lies
_MOST_POINTS = 5  # points that learn a box; with 10, digits-boxes was learned more slowly
_OF_IOU, _OF_CENTRE = 3.0, 1.0  # weights in the cost of a point, beside that of its class
_TINY = 1e-7


def corners(outputs: Tensor) -> Tensor:
    """Return the boxes `(N, P, 4)` of outputs `(N, P, 6 + classes)`: left, top, right, bottom."""
    point, (less, more) = outputs[..., POINT], outputs[..., DISTANCES].chunk(2, -1)
    return torch.cat((point - less, point + more), -1)


def overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """Return the IoU `(..., P, M)` of boxes `(..., P, 4)` with others `(..., M, 4)`."""
    one, other = boxes.unsqueeze(-2), others.unsqueeze(-3)
    low, high = one[..., :2].maximum(other[..., :2]), one[..., 2:].minimum(other[..., 2:])
    common = (high - low).clamp(0).prod(-1)
    return common / (_area(one) + _area(other) - common).clamp(_TINY)


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2:] - boxes[..., :2]).clamp(0).prod(-1)


def exist(targets: Tensor) -> Tensor:
    """Return which rows of targets `(..., 5)`, or of found boxes `(..., 6)`, are boxes."""
    return targets[..., :BOX].ne(NO_BOX).any(-1)


@torch.no_grad()
def assigned(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the row of the box that each point learns, `(N, P)`, or -1 for none.

    Of the points in a box, those of the lowest cost learn it: the cost is that of their class, of
    the overlap of the box they predict, and of their distance from its centre. There are as many as
    the overlaps of the five best sum up to, as in YOLOX (arXiv 2107.08430). A box without a point
    in it is learned by the nearest one.
    """
    if not targets.shape[1]:
        return torch.full(outputs.shape[:2], -1, device=outputs.device)
    boxes, labels = targets[..., :-1], targets[..., -1].long().clamp(0)
    iou = overlaps(corners(outputs), boxes)  # (N, P, M), as all that follows
    can = _candidates(outputs[..., POINT], boxes) & exist(targets).unsqueeze(1)
    columns = labels.unsqueeze(1).expand(-1, outputs.shape[1], -1)
    logits = outputs[..., LENGTHS:].gather(2, columns)
    sides = (boxes[..., 2:] - boxes[..., :2]).clamp(_TINY).unsqueeze(1)
    away = (_offsets(outputs[..., POINT], boxes) / sides).abs().amax(-1)
    cost = focal(logits, iou) - _OF_IOU * (iou + _TINY).log() + _OF_CENTRE * away
    cost = cost.masked_fill(~can, torch.inf)
    most = min(_MOST_POINTS, cost.shape[1])
    best = iou.masked_fill(~can, 0).topk(most, 1).values.sum(1).int().clamp(1)
    cheapest = cost.topk(most, 1, largest=False)
    is_chosen = torch.arange(most, device=cost.device).view(1, -1, 1) < best.unsqueeze(1)
    chosen = torch.zeros_like(can).scatter(1, cheapest.indices, is_chosen)
    lowest = cost.masked_fill(~chosen, torch.inf).min(2)
    return lowest.indices.masked_fill(lowest.values.isinf(), -1)


def _offsets(points: Tensor, boxes: Tensor) -> Tensor:
    """Return how far points `(N, P, 2)` are from the centres of boxes: `(N, P, M, 2)`."""
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    return points.unsqueeze(2) - centres.unsqueeze(1)


def _candidates(points: Tensor, boxes: Tensor) -> Tensor:
    """Return which points `(N, P, 2)` may learn which boxes: `(N, P, M)`."""
    places, low, high = points.unsqueeze(2), *boxes.unsqueeze(1).chunk(2, -1)
    inside = ((places >= low) & (places <= high)).all(-1)
    nearest = _offsets(points, boxes).square().sum(-1).topk(_NEAREST, 1, largest=False).indices
    return inside | (torch.zeros_like(inside).scatter(1, nearest, True) & ~inside.any(1, True))


def focal(logits: Tensor, quality: Tensor) -> Tensor:
    """Return the quality focal loss (arXiv 2006.04388) of each logit.

    `quality`: what its probability should be, 0..1, as the overlap of its box.
    """
    losses = F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    return losses * (quality - logits.sigmoid()).square()


def losses(outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the loss of each image, `(N,)`: of classes and boxes, over its points with a box.

    `smoothing`: what is taken off the quality that points with a box should have, as a share.
    """
    found = assigned(outputs, targets)
    image, point = (found >= 0).nonzero(as_tuple=True)
    learned = targets[image, found[image, point]]
    predicted = corners(outputs)[image, point]
    iou = overlaps(predicted.detach().unsqueeze(1), learned[:, None, :-1]).flatten()
    quality = torch.zeros_like(outputs[..., LENGTHS:])
    quality[image, point, learned[:, -1].long()] = iou * (1 - smoothing)
    of_classes = focal(outputs[..., LENGTHS:], quality).sum((1, 2))
    of_boxes = of_classes.new_zeros(len(outputs)).index_add(
        0, image, box_losses(predicted, learned[:, :-1])
    )
    counts = (found >= 0).sum(1).clamp(1)
    return (of_classes + of_boxes) / counts


def box_losses(boxes: Tensor, others: Tensor) -> Tensor:
    """Return 1 - GIoU (arXiv 1902.09630) of boxes `(n, 4)` and others: `(n,)`, from 0 to 2."""
    with ctrl_c_held():
        from torchvision.ops import generalized_box_iou_loss
    found: Tensor = generalized_box_iou_loss(boxes, others, reduction="none")
    return found


def distillation(outputs: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Return the loss of each image, `(N,)`, against the outputs of a teacher with equal points.

    Points count by the teacher's highest probability: the divergence of the classes, each a
    yes or no, multiplied by the temperature squared, and the loss of the boxes.
    """
    logits, known = (each[..., LENGTHS:] / temperature for each in (outputs, taught))
    shares = known.sigmoid()
    divergence = F.binary_cross_entropy_with_logits(
        logits, shares, reduction="none"
    ) - F.binary_cross_entropy_with_logits(known, shares, reduction="none")
    weight = taught[..., LENGTHS:].sigmoid().amax(-1)
    apart = box_losses(corners(outputs).flatten(0, 1), corners(taught).flatten(0, 1))
    each = temperature**2 * divergence.sum(-1) + apart.view_as(weight)
    return (weight * each).sum(1) / weight.sum(1).clamp(1)


def found_boxes(outputs: Tensor) -> Tensor:
    """Return the most probable boxes of each image, `(N, MOST, FOUND)`, after suppression.

    Each is left, top, right and bottom in pixels, class and probability, the most probable first.
    Of boxes of a class that overlap by an IoU over 0.6, only the most probable is kept. Rows behind
    an image's last box are `NO_BOX`.
    """
    with ctrl_c_held():
        from torchvision.ops import batched_nms
    boxes, probabilities = corners(outputs), outputs[..., LENGTHS:].sigmoid()
    classes = probabilities.shape[-1]
    kept = outputs.new_full((len(outputs), MOST, FOUND), NO_BOX)
    best = probabilities.flatten(1).topk(min(_BEFORE, probabilities[0].numel()))
    for row, (shares, places) in enumerate(zip(best.values, best.indices, strict=True)):
        places, shares = places[shares > _LEAST], shares[shares > _LEAST]
        taken, labels = boxes[row, places // classes], places % classes
        order = batched_nms(taken, shares, labels, _OVERLAP)[:MOST]
        columns = (taken[order], labels[order].unsqueeze(1), shares[order].unsqueeze(1))
        kept[row, : len(order)] = torch.cat([each.to(kept.dtype) for each in columns], 1)
    return kept


def moved_boxes(targets: Tensor, shift: Tensor, mirrored: Tensor, size: tuple[int, int]) -> Tensor:
    """Return boxes `(N, M, 5)` moved by `shift` `(N, 2)` pixels right and down, and mirrored.

    `size`: height and width of the images. Boxes are cut at the image's edge; one whose centre is
    outside becomes `NO_BOX`.
    """
    height, width = size
    most = targets.new_tensor([width, height])
    low, high, labels = targets[..., :2], targets[..., 2:4], targets[..., 4:]
    low, high = low + shift.unsqueeze(1), high + shift.unsqueeze(1)
    centres = (low + high) / 2
    is_inside = ((centres >= 0) & (centres <= most)).all(-1, keepdim=True)
    low, high = low.clamp(min=0), high.minimum(most)
    turn = mirrored.view(-1, 1, 1)
    left, right = low[..., :1], high[..., :1]
    left, right = torch.where(turn, width - right, left), torch.where(turn, width - left, right)
    moved = torch.cat((left, low[..., 1:], right, high[..., 1:], labels), -1)
    return torch.where(is_inside & exist(targets).unsqueeze(-1), moved, NO_BOX)
