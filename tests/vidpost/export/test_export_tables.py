from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidpost.catalog.loader import find_root, load
from vidpost.export import tables
from vidpost.export.tables import COLUMNS, KEYS, LIST, cell, data_package, rows, to_csv
from vidpost.export.text import plain

ROOT = find_root(Path(__file__))
CATALOG = load(ROOT)
ENTRIES = list(CATALOG.entries())

# The columns as published, with their types. A column is never renamed, moved or retyped; new ones
# are added at the end, here too.
STORED = {
    "entries": "id kind name aliases:list summary status title first_author authors:list "
    "year:integer month venue arxiv_id doi paper_url released_with pillars:list taxonomy:list "
    "challenges:list reward_aspects:list tasks:list metrics:list algorithm baseline "
    "base_models:list trained_on:list evaluated_on:list numbers:integer license "
    "survey_sections:list survey_refs:list superseded_by metric_unit metric_direction "
    "unverified:list added:date",
    "numbers": "method position:integer model benchmark split metric value:number unit "
    "value_in_metric_unit:number frames fps:number resolution subtitles:boolean note source "
    "unverified",
    "links": "id kind role url name revision license",
}


@pytest.mark.parametrize("table", STORED)
def test_columns_are_stable(table: str) -> None:
    stored = [
        (name, kind or "string")
        for name, _, kind in (part.partition(":") for part in STORED[table].split())
    ]
    assert [(c.name, c.type) for c in COLUMNS[table]][: len(stored)] == stored
    assert all(column.meaning for column in COLUMNS[table])


TEXT = st.text(
    st.characters(exclude_categories=("Cs",)) | st.sampled_from("=+-@'\",;|\t\r\n"), max_size=30
)


@settings(max_examples=400, deadline=None)
@given(TEXT)
def test_no_cell_is_a_formula_and_text_comes_back(text: str) -> None:
    line = to_csv("links", [dict.fromkeys((c.name for c in COLUMNS["links"]), text)])
    read = list(csv.reader(io.StringIO(line)))
    assert len(read) == 2 and len(read[1]) == len(COLUMNS["links"])
    (value,) = set(read[1])
    assert not value.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert (value[1:] if value.startswith("'") else value) == plain(text)


@given(st.lists(TEXT.filter(plain), max_size=4))
def test_lists_keep_their_length(items: list[str]) -> None:
    text = str(cell(items))
    assert len(text.split(LIST) if text else []) == len(items)


def test_numbers_stay_numbers() -> None:
    row = dict.fromkeys((c.name for c in COLUMNS["numbers"]), None) | {"value": -3.5}
    assert ",-3.5," in to_csv("numbers", [row])
    assert cell(True) == "true" and cell(None) == ""


@pytest.mark.parametrize("table", COLUMNS)
def test_rows_of_the_catalogue(table: str) -> None:
    found = rows(table, ENTRIES)
    names = [c.name for c in COLUMNS[table]]
    types = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
    for row in found:
        assert list(row) == names
        for column in COLUMNS[table]:
            value = row[column.name]
            if column.type in types and value is not None:
                assert isinstance(value, types[column.type]), (column.name, value)
                assert value != ""
    keys = [tuple(row[name] for name in KEYS[table]) for row in found]
    assert len(set(keys)) == len(keys) and all(None not in key for key in keys)
    json.dumps(found, default=str)


def test_the_tables_fit_together() -> None:
    ids = {row["id"] for row in rows("entries", ENTRIES)}
    numbers = rows("numbers", ENTRIES)
    assert {row["method"] for row in numbers} <= ids
    assert {row["benchmark"] for row in numbers} | {row["metric"] for row in numbers} <= ids
    assert {row["id"] for row in rows("links", ENTRIES)} <= ids
    counts = {row["id"]: row["numbers"] for row in rows("entries", ENTRIES) if row["numbers"]}
    assert sum(counts.values()) == len(numbers)
    assert len(numbers) == sum(len(m.reported) for m in CATALOG.methods.values())
    percent = next(row for row in numbers if row["unit"] == "%")
    assert percent["value_in_metric_unit"] == percent["value"] / 100


def test_a_flag_reaches_its_number() -> None:
    flagged = [
        (method.id, index)
        for method in CATALOG.methods.values()
        for index in range(len(method.reported))
        if any(path.startswith(f"reported[{index}]") for path in method.unverified)
    ]
    assert flagged, "the catalogue has none: write an example of its own here"
    shown = {
        (row["method"], row["position"]) for row in rows("numbers", ENTRIES) if row["unverified"]
    }
    assert shown == set(flagged)


def test_pyarrow_reads_them_with_the_described_types() -> None:
    arrow = pytest.importorskip("pyarrow")
    reader = pytest.importorskip("pyarrow.csv")
    types = {
        "string": arrow.string(), "integer": arrow.int64(), "number": arrow.float64(),
        "boolean": arrow.bool_(), "date": arrow.date32(),
    }  # fmt: skip
    package = data_package({table: len(rows(table, ENTRIES)) for table in COLUMNS})
    for resource in package["resources"]:
        schema = {f["name"]: types[f["type"]] for f in resource["schema"]["fields"]}
        text = to_csv(resource["name"], rows(resource["name"], ENTRIES)).encode()
        read = reader.read_csv(
            arrow.BufferReader(text),
            convert_options=reader.ConvertOptions(column_types=schema, strings_can_be_null=True),
        )
        assert read.num_rows == resource["rows"] and read.column_names == list(schema)
        assert [field.type for field in read.schema] == list(schema.values())
        for name in resource["schema"]["primaryKey"]:
            assert read.column(name).null_count == 0


def test_every_table_has_a_description() -> None:
    assert tables.COLUMNS.keys() == tables.KEYS.keys()
    for resource in data_package(dict.fromkeys(COLUMNS, 0))["resources"]:
        fields = resource["schema"]["fields"]
        assert set(resource["schema"]["primaryKey"]) <= {field["name"] for field in fields}
