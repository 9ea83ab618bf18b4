"""`vidpost add`: from a reference to an entry at the rung `listed`, and a method's skeleton."""
