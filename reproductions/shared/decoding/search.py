"""Search: best of n, beams, best-first, Monte Carlo trees. The caller says what a step is."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

S = TypeVar("S")


def best_of(items: Sequence[S], scores: Sequence[float]) -> S:
    """The item with the greatest score, in a tie the first one."""
    return items[max(range(len(items)), key=lambda i: scores[i])]


@dataclass(frozen=True)
class Beam(Generic[S]):
    """A beginning.

    Attributes:
        state: What was written so far.
        score: The greater the better; comparable between beams of any length.
        done: Whether it is complete.
    """

    state: S
    score: float
    done: bool = False


def beam_search(
    start: S,
    expand: Callable[[list[Beam[S]]], list[list[Beam[S]]]],
    width: int,
    steps: int,
) -> list[Beam[S]]:
    """Keep the `width` best beginnings, complete ones among them, until all are complete.

    Args:
        start: The empty beginning.
        expand: Open beams -> for each, its continuations by one step.
        width: Beams kept.
        steps: Steps at most.

    Returns:
        The last beams, best first.
    """
    beams = [Beam(start, 0.0)]
    for _ in range(steps):
        open_ = [b for b in beams if not b.done]
        if not open_:
            break
        grown = [new for children in expand(open_) for new in children]
        pool = [b for b in beams if b.done] + grown
        beams = sorted(pool, key=lambda b: -b.score)[:width]
    return beams


def best_first(
    start: Sequence[tuple[float, S]], expand: Callable[[S], Sequence[tuple[float, S]]]
) -> Iterator[S]:
    """States in the order of least cost, expanded as they are taken; the caller stops.

    Args:
        start: (cost, state) to begin with.
        expand: State -> (cost, state) of its children.
    """
    count = 0
    heap: list[tuple[float, int, S]] = []
    for cost, state in start:
        heapq.heappush(heap, (cost, count, state))
        count += 1
    while heap:
        _, _, state = heapq.heappop(heap)
        yield state
        for cost, child in expand(state):
            heapq.heappush(heap, (cost, count, child))
            count += 1


@dataclass(eq=False)
class Node(Generic[S]):
    """A node of a search tree.

    Attributes:
        state: What was done to get here.
        parent: None for the root.
        children: Tried continuations.
        visits: Simulations that went through it.
        value: Sum of their rewards.
    """

    state: S
    parent: Node[S] | None = None
    children: list[Node[S]] = field(default_factory=list)
    visits: int = 0
    value: float = 0.0

    @property
    def mean(self) -> float:
        """Mean reward; 0 before the first visit."""
        return self.value / self.visits if self.visits else 0.0


def uct(node: Node[S], exploration: float) -> float:
    """Upper confidence bound of a child: mean + c sqrt(ln N / n); infinite if never visited."""
    if not node.visits or node.parent is None:
        return math.inf
    return node.mean + exploration * math.sqrt(math.log(node.parent.visits) / node.visits)


def tree_search(
    root: S,
    expand: Callable[[S], Sequence[S]],
    reward: Callable[[S], float],
    iterations: int,
    exploration: float = math.sqrt(2),
    done: Callable[[], bool] = lambda: False,
) -> Node[S]:
    """Monte Carlo tree search: select by UCT, expand a leaf, evaluate it, back up.

    Args:
        root: The first state.
        expand: State -> its continuations, () at an end.
        reward: Value of a state, 0 to 1.
        iterations: Evaluations, at most.
        exploration: c of UCT.
        done: Whether to stop early.

    Returns:
        The root, with the whole tree below it.
    """
    top = Node(root)
    for _ in range(iterations):
        node = top
        while node.children:
            node = max(node.children, key=lambda child: uct(child, exploration))
        if node.visits:
            node.children = [Node(state, node) for state in expand(node.state)]
            node = node.children[0] if node.children else node
        gained = reward(node.state)
        up: Node[S] | None = node
        while up is not None:
            up.visits += 1
            up.value += gained
            up = up.parent
        if done():
            break
    return top


def walk(node: Node[S]) -> Iterator[Node[S]]:
    """A node and all below it, parents first."""
    yield node
    for child in node.children:
        yield from walk(child)
