"""`python -m vidpost.site` builds the site of the repository it is run in."""

import sys

from vidpost.catalog.loader import CatalogError, find_root
from vidpost.site.build import build

try:
    print(build(find_root()))
except CatalogError as error:
    sys.exit(str(error))
