"""A scenario's file: prose, then blocks of commands, each with the story that it told when last reviewed.

    # One sentence: the fact.
    # Pain: what users of other systems were hurt by.

    world members=2
    ----
         0.000 alpha  starts
         ...

Owns the form. Must not know what a command does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RULE = "----"
FOLDER = Path(__file__).with_name("scenarios")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some commands and what came of them."""

    commands: tuple[str, ...]
    story: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A whole file."""

    prose: tuple[str, ...]
    blocks: tuple[Block, ...]

    @property
    def sentence(self) -> str:
        """The fact that it shows."""
        return self.prose[0].removeprefix("# ") if self.prose else ""

    @property
    def pain(self) -> str:
        """What it spares the user, empty when the file does not say."""
        return next((line.removeprefix("# Pain: ") for line in self.prose if line.startswith("# Pain: ")), "")

    def text(self) -> str:
        """The file."""
        parts = ["\n".join(self.prose)]
        parts += ["\n".join((*block.commands, RULE, *block.story)) for block in self.blocks]
        return "\n\n".join(parts) + "\n"


def parse(text: str) -> Scenario:
    """A file as it stands; a block that has never run has no story."""
    paragraphs = [part.splitlines() for part in text.strip().split("\n\n")]
    prose = tuple(paragraphs[0]) if paragraphs[0][0].startswith("#") else ()
    blocks = []
    for lines in paragraphs[1 if prose else 0 :]:
        at = lines.index(RULE) if RULE in lines else len(lines)
        blocks.append(Block(commands=tuple(lines[:at]), story=tuple(lines[at + 1 :])))
    return Scenario(prose=prose, blocks=tuple(blocks))


def paths() -> list[Path]:
    """All scenarios, by name."""
    return sorted(FOLDER.glob("*.txt"))
