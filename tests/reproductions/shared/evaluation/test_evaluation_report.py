import json
import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fake_run import write_fake_run

from reproductions.shared.evaluation import report
from reproductions.shared.evaluation.plots import MINUS
from reproductions.shared.evaluation.report import (
    choose_samples,
    read_run,
    render,
    score_table,
    write_report,
)
from reproductions.shared.evaluation.report_words import verdict, visible
from reproductions.shared.video.frames import write_mp4

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_ARGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return {
        "plain": write_fake_run(folder / "plain"),
        "hostile": write_fake_run(folder / "hostile", n=60, hostile=True),
    }


@pytest.fixture(scope="module")
def pages(runs):
    return {name: write_report(folder) for name, folder in runs.items()}


def small_run(tmp_path, evaluation):
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation))
    return read_run(tmp_path)


def evaluation(difference, interval, p_value, checkpoints=("sft", "rl")):
    rows = [
        {"checkpoint": c, "task": "all", "n": 200, "score": s, "interval": [s - 0.07, s + 0.07]}
        for c, s in zip(checkpoints, (0.5, 0.5 + difference), strict=True)
    ]
    test = {"a": checkpoints[0], "b": checkpoints[1], "task": "all", "difference": difference}
    test |= {"interval": interval, "p_value": p_value, "test": "exact McNemar test"}
    return {"checkpoints": list(checkpoints), "rows": rows, "comparisons": [test]}


@pytest.mark.parametrize(
    ("difference", "interval", "p_value", "word", "part"),
    [
        (0.2, [0.1, 0.3], 0.0001, "gain", "rose from 50.0 % after SFT to 70.0 % after RL"),
        (-0.2, [-0.3, -0.1], 0.0001, "loss", "fell from 50.0 % after SFT to 30.0 % after RL"),
        (0.02, [-0.05, 0.09], 0.4, "undecided", "can be luck"),
        (0.2, [0.01, 0.3], 0.06, "undecided", "+1.0 to +30.0, p = 0.060"),  # test disagrees
        (0.2, None, None, "undecided", "+20.0 points"),
    ],
)
def test_verdict_states_only_what_interval_and_test_agree_on(
    tmp_path, difference, interval, p_value, word, part
):
    found = verdict(small_run(tmp_path, evaluation(difference, interval, p_value)))
    assert found["word"] == word
    assert part in found["text"].replace("\N{NO-BREAK SPACE}", " ").replace(MINUS, "-")


def test_verdict_without_comparison_or_scores(tmp_path):
    given = evaluation(0.1, [0.0, 0.2], 0.01) | {"comparisons": []}
    assert verdict(small_run(tmp_path, given))["head"] == "Measured, not compared."
    assert verdict(small_run(tmp_path, {}))["head"] == "Not evaluated."


def test_single_tasks_are_adjusted_for_their_number(tmp_path):
    given = evaluation(0.2, [0.1, 0.3], 0.01)
    for task, p in (("x", 0.01), ("y", 0.04)):
        given["rows"] += [row | {"task": task} for row in given["rows"][:2]]
        given["comparisons"].append(given["comparisons"][0] | {"task": task, "p_value": p})
    body = score_table(small_run(tmp_path, given))["body"]
    found = {row["task"]: row["tests"][0]["p_value"] for row in body}
    assert found == pytest.approx({"all": 0.01, "x": 0.02, "y": 0.04})


def test_best_constant_answer_is_counted_from_the_gold_answers(tmp_path):
    given = evaluation(0.2, [0.1, 0.3], 0.01)
    given["rows"] += [row | {"task": task} for row in given["rows"][:2] for task in "xy"]
    (tmp_path / "predictions").mkdir()
    golds = [("x", "A"), ("x", "A"), ("x", "B"), ("y", "C")]
    records = [
        {"id": i, "task": t, "gold": g, "problem_type": "multiple choice", "score": 1}
        for i, (t, g) in enumerate(golds)
    ]
    path = tmp_path / "predictions" / "rl.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    body = score_table(small_run(tmp_path, given))["body"]
    found = {row["task"]: row["constant"] for row in body}
    assert found == pytest.approx({"all": 3 / 4, "x": 2 / 3, "y": 1.0})
    records[3]["problem_type"] = "temporal grounding"
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    body = score_table(read_run(tmp_path))["body"]
    assert {row["task"]: row["constant"] for row in body} == {"all": None, "x": 2 / 3, "y": None}


def test_samples_show_regressions_first_and_let_tasks_take_turns(runs):
    run = read_run(runs["plain"])
    chosen = choose_samples(run)
    outcomes = [s["outcome"] for s in chosen]
    assert outcomes == ["broken"] * 4 + ["wrong"] * 4 + ["fixed"] * 3 + ["right"]
    wrong = [s for s in chosen if s["outcome"] == "wrong"]
    assert len({s["task"] for s in wrong[:3]}) == 3
    for sample in chosen:
        rights = [a["right"] for a in sample["answers"][-2:]]
        expected = {"broken": [True, False], "wrong": [False] * 2, "fixed": [False, True]}
        assert rights == expected.get(sample["outcome"], [True, True])
    assert choose_samples(run) == chosen


def test_visible_writes_out_what_hides_text():
    assert visible("a\u202eb\x00\u200bc\ud800") == "a[U+202E]b[U+0000][U+200B]c[U+D800]"
    harmless = "tab\tline\n\u05e9\u05dc\u05d5\u05dd \u00e9 \U0001f468\u200d\U0001f469"
    assert visible(harmless) == harmless


class Outline(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.ids, self.attributes, self.text = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for key, value in attrs if key == "id"]

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize("name", ["plain", "hostile"])
def test_the_page_is_whole_and_well_formed(pages, name):
    page = pages[name].read_text()
    assert len(page.encode()) < report.MAX_BYTES
    outline = Outline(page)
    assert len(outline.ids) == len(set(outline.ids))
    levels = [int(tag[1]) for tag in outline.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert not {"script", "iframe", "link", "object", "form"} & set(outline.tags)
    assert not [key for key, _ in outline.attributes if key.startswith("on")]
    targets = [v for k, v in outline.attributes if k in ("src", "href")]
    assert all(t.startswith(("data:image/webp;", "#")) for t in targets)
    svgs = re.findall(r"<svg.*?</svg>", page, re.S)
    assert len(svgs) >= 9 and all("<title" in s and "<desc" in s for s in svgs)
    assert "Miniature result" in page and "One training seed (0)" in page
    assert outline.tags.count("img") >= 64
    assert "\u202e" not in page and "\x00" not in page


def test_the_page_holds_what_a_sceptic_asks_for(runs, pages):
    page = pages["plain"].read_text()
    run = read_run(runs["plain"])
    assert run.card.fingerprint in page and run.card.commit in page
    assert "vidpost run video_r1 --preset mini --set stages.rl.max_steps=60" in page
    assert "official grpo.py at 59d65c3" in page and "set on the command line" in page
    for row in run.evaluation["rows"]:
        assert f"<b>{100 * row['score']:.1f}</b>" in page
    assert "log.jsonl: 1 unreadable line left out." in page
    assert "90.0 % before training, 0.0 % after SFT" in page
    assert "RL step 60, question train-0-counting-000017" in page
    order = ["Before and after", "Figures", "Samples, failures first", "Repeat this run"]
    places = [page.index(f">{title}<") for title in order]
    assert places == sorted(places)


def test_costs_are_means_a_question_of_checkpoints_and_strategies(tmp_path):
    (tmp_path / "predictions").mkdir()
    for name in ("sft", "sft+tcot"):
        rows = [{"fingerprint": "f"}, {"id": "a", "score": 1.0}, {"id": "b", "score": 0.0}]
        lines = "".join(json.dumps(r) + "\n" for r in rows)
        (tmp_path / "predictions" / f"{name}.jsonl").write_text(lines)
    given = {
        "checkpoints": ["sft", "sft+tcot", "gone"],
        "cost": {
            "sft": {"calls": 2, "tokens_in": 2469, "seconds": 0.1},
            "sft+tcot": {"calls": 10, "tokens_in": "many", "seconds": 3},
            "gone": {"calls": 1},
        },
    }
    run = small_run(tmp_path, given)
    assert report.costs(run) == {
        "heads": ["Model calls", "Tokens in", "Seconds"],
        "rows": [("sft", ["1", "1,234", "0.05"]), ("sft+tcot", ["5", "n/a", "1.5"])],
    }
    page = render(run)
    assert "Cost of one question" in page and "sft+tcot" in page
    for broken in ({}, {"cost": []}, {"cost": {"sft": "x"}}):
        assert report.costs(small_run(tmp_path, {"checkpoints": ["sft"], **broken})) == {}


def test_hostile_videos_become_sentences(pages):
    assert "The video could not be decoded" in pages["hostile"].read_text()


def test_the_same_run_gives_the_same_page(runs, pages):
    assert render(read_run(runs["plain"])) == pages["plain"].read_text()


def test_a_killed_run_still_gets_a_page(tmp_path):
    assert "Not evaluated." in write_report(tmp_path).read_text()
    (tmp_path / "log.jsonl").write_text('{"stage": "sft", "step": 1, "loss": 2.0}\n[1]\n{"sta')
    (tmp_path / "evaluation.json").write_text('{"checkpoints": ["ba')
    (tmp_path / "config.yaml").write_text("a: [")
    (tmp_path / "card.yaml").write_text("kind: what")
    page = write_report(tmp_path).read_text()
    for part in (
        "2 unreadable lines",
        "evaluation.json could not",
        "settings could not",
        "card is",
    ):
        assert part in page
    assert "SFT: loss" in page
    with pytest.raises(FileNotFoundError, match="no such run"):
        write_report(tmp_path / "nowhere")


def test_wrong_types_do_not_break_the_page(tmp_path):
    rows = [{"checkpoint": "rl", "score": "high", "n": 3}, {"checkpoint": 1}, 7, None]
    rows += [{"checkpoint": "rl", "score": float("nan"), "n": 3, "interval": [1]}]
    given = {"checkpoints": ["rl", 3], "rows": rows, "comparisons": {"a": 1}, "seconds": [1]}
    (tmp_path / "evaluation.json").write_text(json.dumps(given))
    (tmp_path / "predictions").mkdir()
    strange = {"id": [1], "score": "x", "options": 5, "times": ["a", 1e400], "video": 5}
    strange |= {"question": None, "tokens_out": None, "answer": 3, "task": None}
    (tmp_path / "predictions" / "rl.jsonl").write_text(json.dumps(strange) + "\n{}\n")
    (tmp_path / "log.jsonl").write_text('{"step": "1", "loss": [2]}\n{"stage": 3, "step": 1e999}\n')
    (tmp_path / "rollouts.jsonl").write_text('{"step": 1, "scores": 3}\n{"step": null}\n')
    assert "Not evaluated." in write_report(tmp_path).read_text()


def test_frames_never_blow_up_the_page(tmp_path, runs):
    folder = shutil.copytree(runs["hostile"], tmp_path / "run")
    noise = np.random.default_rng(0).integers(0, 256, (40, 120, 160, 3), dtype=np.uint8)
    write_mp4(folder / "noise.mp4", noise, 10, crf=1)
    for path in (folder / "predictions").glob("*.jsonl"):
        records = [json.loads(line) for line in path.read_text().splitlines()[1:]]
        for record in records:
            record |= {"video": "noise.mp4", "times": [i / 10 for i in range(40)]}
        path.write_text("".join(json.dumps(r) + "\n" for r in records))
    page = write_report(folder).read_text()
    assert len(page.encode()) < report.MAX_BYTES
    assert "Shown: 1 in 3 of 40 frames." in page
    assert "Left out to keep this page small." in page


def test_frames_go_before_the_page_grows_too_large(runs, monkeypatch):
    monkeypatch.setattr(report, "MAX_BYTES", 1000)
    page = render(read_run(runs["plain"]))
    assert "<img" not in page and "Left out to keep this page small." in page


def contrast(a, b):
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
def test_colours_can_be_read_in_both_schemes(scheme):
    css = (Path(report.__file__).parent / "templates" / "report.css").read_text()
    block = re.findall(r":root \{(.*?)\}", css, re.S)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    for name, colour in colours.items():
        for background in ("paper", "panel"):
            if name in ("ink", "soft", "good", "bad", "unsure", "link"):
                assert contrast(colour, colours[background]) >= 4.5, (name, background)
            if name.startswith("plot"):
                assert contrast(colour, colours[background]) >= 3, (name, background)
    assert contrast(colours["ink"], colours["amber"]) >= 4.5


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists():
        pytest.skip("needs Chromium at /usr/bin/chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGS)
        )
        yield browser
        browser.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("name", ["plain", "hostile"])
def test_the_page_in_a_browser(pages, browser, name, width, scheme):
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=True
    )
    page = context.new_page()
    asked, messages = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.on("dialog", lambda dialog: messages.append(dialog.message))
    page.goto(pages[name].as_uri())
    for summary in page.locator("summary").all():
        if summary.locator("xpath=..").get_attribute("open") is None:
            summary.click()  # opens without JavaScript; what is inside must fit as well
    outside = [url for url in asked if not url.startswith(("data:image/webp", "file://"))]
    assert outside == [] and messages == []
    assert len([url for url in asked if url.startswith("file://")]) == 1
    assert page.title() == "video_r1: RL helped."
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    light = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(253, 253, 251)"
    assert light == (scheme == "light")
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    overlaps = page.evaluate(
        """() => [...document.querySelectorAll('svg.plot')].flatMap(svg => {
            const boxes = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBBox()]);
            const frame = svg.viewBox.baseVal;
            const bad = boxes.filter(([, b]) => b.x < -1 || b.x + b.width > frame.width + 1
                                             || b.y + b.height > frame.height + 1).map(([t]) => t);
            for (let i = 0; i < boxes.length; i++)
              for (let j = 0; j < i; j++) {
                const [a, b] = [boxes[i][1], boxes[j][1]];
                if (a.x + 1 < b.x + b.width && b.x + 1 < a.x + a.width &&
                    a.y + 3 < b.y + b.height && b.y + 3 < a.y + a.height)
                  bad.push(boxes[i][0] + ' | ' + boxes[j][0]);
              }
            return bad;
        })"""
    )
    assert overlaps == []
    context.close()


@pytest.mark.browser
def test_escaping_holds_even_without_the_policy(pages, browser):
    text = pages["hostile"].read_text()
    without = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert without != text
    page = browser.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_content(without)
    page.wait_for_timeout(200)
    assert page.title() == "video_r1: RL helped."
    assert all(url.startswith("data:image/webp") for url in asked)
    shown = page.locator("article .question").all_inner_texts()
    assert any("<script>document.title='pwned'" in text and "{{ 7*7 }}" in text for text in shown)
    page.close()
