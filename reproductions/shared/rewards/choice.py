"""Multiple choice: from what a model wrote to the option it means.

Official rules differ widely here: the same completion is right for one project and wrong for the
next. The building blocks are small; `rules.py` names the combinations.
"""

from __future__ import annotations

import re


def first_capital(text: str, last: str = "D") -> str:
    """The first capital A..`last` anywhere, "" if none ("Because" gives "B")."""
    found = re.search(f"[A-{last}]", text)
    return found.group() if found else ""
