"""The LaTeX of metric definitions as MathML, which browsers draw and read out without a script.

A small part of LaTeX: fractions, roots, accents, indices, sums, Greek letters and relations. A
command that is not known is shown as its name; nothing can fail and nothing is left as markup.
"""

# ruff: noqa: RUF001 - letters and signs that look like others are what this file is about

from __future__ import annotations

import re

from markupsafe import Markup

from vidpost.export.text import plain
from vidpost.site.text import escape

_SYMBOLS = {
    "cdot": "·", "times": "×", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠",
    "neq": "≠", "in": "∈", "notin": "∉", "cap": "∩", "cup": "∪", "to": "→", "rightarrow": "→",
    "mid": "|", "vert": "|", "lvert": "|", "rvert": "|", "Vert": "‖", "lVert": "‖", "rVert": "‖",
    "|": "‖", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "infty": "∞",
    "approx": "≈", "pm": "±", "wedge": "∧", "vee": "∨", "emptyset": "∅", "setminus": "∖",
    "subset": "⊂", "subseteq": "⊆", "partial": "∂", "ldots": "…", "dots": "…", "cdots": "⋯",
    "int": "∫", "{": "{", "}": "}", "%": "%", "_": "_", "&": "&", "#": "#", "langle": "⟨",
    "rangle": "⟩", "propto": "∝", "neg": "¬", "forall": "∀", "exists": "∃", "colon": ":",
}  # fmt: skip
_LETTERS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε",
    "zeta": "ζ", "eta": "η", "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν",
    "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ",
    "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Sigma": "Σ",
    "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "ell": "ℓ",
}  # fmt: skip
_BIG = {"sum": "∑", "prod": "∏", "max": "max", "min": "min", "argmax": "argmax",
        "argmin": "argmin", "lim": "lim", "sup": "sup", "bigcup": "⋃", "bigcap": "⋂"}  # fmt: skip
_UPRIGHT = frozenset({"text", "mathrm", "operatorname", "mathbb", "mathbf", "mathcal", "textbf"})
_ACCENTS = {"hat": "^", "widehat": "^", "bar": "¯", "overline": "¯", "tilde": "~", "vec": "→"}
_SKIPPED = frozenset({"left", "right", "big", "Big", "bigl", "bigr", "displaystyle", "limits"})
_SPACES = frozenset({",", ";", "!", ":", " ", "quad", "qquad"})
_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|[^\s]|\s+")
_DEEPEST = 12


def formula(text: str) -> Markup:
    """A definition whose parts between dollar signs are LaTeX, as text and MathML."""
    parts = text.split("$")
    if len(parts) % 2 == 0:  # an odd dollar sign: not a formula
        return escape(text)
    shown = []
    for place, part in enumerate(parts):
        if place % 2:
            shown.append(_Parser(plain(part)).all())
        elif part.strip():
            before = " " if place and part[:1].isspace() else ""
            after = " " if part[-1:].isspace() else ""
            shown.append(f"{before}{escape(part)}{after}")
    return Markup("".join(shown))


class _Parser:
    """Recursive descent over tokens; every method returns MathML."""

    def __init__(self, text: str) -> None:
        self.tokens = [t for t in _TOKEN.findall(text) if not t.isspace()]
        self.at = 0
        self.depth = 0
        self.text = text

    def all(self) -> str:
        """The whole formula. Phrases in it are text between formulas, so that lines can break."""
        out = ["<math>"]
        while self.at < len(self.tokens):
            start = self.at
            phrase = self._word() if self._next() == r"\text" else ""
            if phrase.count(" ") > 1 and self._peek() not in ("_", "^"):
                before, after = (" " if phrase[at].isspace() else "" for at in (0, -1))
                out.append(f"</math>{before}{escape(phrase)}{after}<math>")
            else:
                self.at = start
                out.append(self._scripted())
        return "".join([*out, "</math>"]).replace("<math></math>", "")

    def _next(self) -> str:
        token = self.tokens[self.at] if self.at < len(self.tokens) else ""
        self.at += 1
        return token

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _scripted(self) -> str:
        """An atom with its lower and upper index."""
        big = self._peek()[1:] in _BIG
        atom = self._atom()
        found: dict[str, str] = {}
        while self._peek() in ("_", "^") and self._peek() not in found:
            mark = self._next()
            found[mark] = self._argument()
        if not found:
            return atom
        low, high = found.get("_"), found.get("^")
        pair = ("munder", "mover", "munderover") if big else ("msub", "msup", "msubsup")
        if low and high:
            return f"<{pair[2]}>{atom}{low}{high}</{pair[2]}>"
        tag = pair[0] if low else pair[1]
        return f"<{tag}>{atom}{low or high}</{tag}>"

    def _argument(self) -> str:
        """A group in braces, or one atom."""
        if self._peek() != "{":
            return self._atom() if self._peek() else "<mrow></mrow>"
        self._next()
        self.depth += 1
        out = []
        while self._peek() and self._peek() != "}":
            out.append(self._scripted() if self.depth < _DEEPEST else self._plain())
        self._next()
        self.depth -= 1
        return f"<mrow>{''.join(out)}</mrow>"

    def _plain(self) -> str:
        return f"<mo>{escape(self._next())}</mo>"

    def _word(self) -> str:
        """The text of a group, without markup: what stands between the braces of a text command."""
        if self._peek() != "{":
            return self._next()
        self._next()
        out = []
        while self._peek() and self._peek() != "}":
            out.append(self._next())
        self._next()
        # Blanks were dropped with the tokens; find the group again in the text for its blanks.
        joined = "".join(out)
        spaced = r"\s*".join(map(re.escape, joined))
        match = re.search(rf"\s*{spaced}\s*", self.text) if joined else None
        return match[0] if match else joined

    def _atom(self) -> str:
        token = self._next()
        if token == "{":
            self.at -= 1
            return self._argument()
        if not token.startswith("\\") or len(token) == 1:
            tag = "mn" if token[:1].isdigit() else "mi" if token.isalpha() else "mo"
            return f"<{tag}>{escape(token)}</{tag}>"
        name = token[1:]
        if name in _SKIPPED or name in _SPACES:
            return '<mspace width="0.15em"/>' if name in _SPACES else "<mrow></mrow>"
        if name in ("frac", "dfrac", "tfrac", "binom"):
            top, bottom = self._argument(), self._argument()
            if name == "binom":
                inner = f'<mfrac linethickness="0">{top}{bottom}</mfrac>'
                return f"<mrow><mo>(</mo>{inner}<mo>)</mo></mrow>"
            return f"<mfrac>{top}{bottom}</mfrac>"
        if name == "sqrt":
            return f"<msqrt>{self._argument()}</msqrt>"
        if name in _ACCENTS:
            return f'<mover accent="true">{self._argument()}<mo>{_ACCENTS[name]}</mo></mover>'
        if name in _UPRIGHT:
            word = self._word() or " "
            blank = "\u00a0"  # MathML drops a plain one at either end
            before, after = (blank if word[at].isspace() else "" for at in (0, -1))
            return f"<mtext>{before}{escape(word.strip())}{after}</mtext>"
        if name in _BIG:
            return f"<mo>{_BIG[name]}</mo>"
        if name in _LETTERS:
            return f"<mi>{_LETTERS[name]}</mi>"
        return f"<mo>{escape(_SYMBOLS[name])}</mo>" if name in _SYMBOLS else f"<mi>{name}</mi>"
