"""Every row of every packaged table: its published numbers and settings, its optimizer, its schedule, its steps."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter

import pytest
import torch
import transformers
import yaml

from dokhae import recipes
from dokhae.training.contexts import for_contexts
from dokhae.training.fit import step_count
from dokhae.training.optimizers import UncorrectedAdamW, make_optimizer, make_schedule

ROWS = {row.name: row for row in recipes.rows()}
LAYERS = 2
by_name = pytest.mark.parametrize("name", ROWS)

# The tables once more, as they were published; "a | b": on SQuAD 1.1 and on 2.0.
EM_F1 = {
    "kor-squad-pl/korquad-1.0": """
        bert-base-multilingual-cased 66.92/87.18; kobert 47.73/75.12; distilbert-base-multilingual-cased 62.91/83.28;
        distilkobert 54.78/78.85; koelectra-small-v2 81.45/90.09; koelectra-base-v2 83.94/92.20;
        koelectra-small-v3 81.13/90.70; koelectra-base-v3 83.92/92.92""",
    "kor-squad-pl": """
        bert-base-cased 80.38/87.99 | 70.52/73.79; bert-base-uncased 80.03/87.52 | 72.02/75.35;
        bert-large-uncased-whole-word-masking 85.51/91.88 | 78.97/82.14;
        distilbert-base-cased 75.94/84.30 | 63.89/66.97; distilbert-base-uncased 76.72/84.78 | 65.40/68.03;
        albert-base-v1 79.46/87.70 | 74.75/77.77; albert-base-v2 79.25/87.34 | 76.48/79.92;
        roberta-base 83.04/90.48 | 78.91/82.20; roberta-large 85.18/92.25 | 80.83/84.29;
        electra-small 77.11/85.41 | 70.55/73.64; electra-base 84.70/91.30 | 78.70/82.17;
        electra-large 87.14/93.41 | -/-""",
    "lyeoni/korquad-1.0": """
        mbert 70.298/90.081; mbert-512 70.80/90.104; mbert-batch16 70.159/89.818; mbert-512-batch16 69.830/89.407;
        mbert-lr3e-5 70.419/90.241; mbert-lr3e-5-batch16 70.229/90.114; mbert-512-lr3e-5 70.644/90.246;
        mbert-512-lr3e-5-batch16 70.419/90.179""",
    "bert-pytorch/squad-1.1": "bert-base-uncased 81.22/88.52; bert-large-uncased 84.57/91.04",
    "etri/korquad-1.0": "etri-morpheme-bert 84.08/92.46",
    "kor-squad-pl/korquad-2.1": """
        bert-base-multilingual-cased -/-; kobert -/-; distilbert-base-multilingual-cased -/-; distilkobert -/-;
        koelectra-small-v2 -/-; koelectra-base-v2 -/-; koelectra-small-v3 -/-; koelectra-base-v3 -/-""",
    "kobigbird/korquad-2.1": "kobigbird-bert-base 67.77/82.03; klue-roberta-base 55.44/73.02",
}
F1_EM = {
    "gluonnlp": """
        albert-base-v2 90.37/83.57 | 82.38/79.49; albert-large-v2 92.68/86.57 | 85.05/82.18;
        albert-xlarge-v2 93.71/87.49 | 87.78/84.79; albert-xxlarge-v2 94.50/88.44 | 90.29/87.29;
        bert-base-uncased 88.44/81.54 | 76.29/73.52; bert-large-uncased 90.65/84.02 | 81.41/78.61;
        electra-small 85.76/79.16 | 73.96/71.36; electra-base 92.64/86.99 | 86.49/83.80;
        electra-large 94.79/89.52 | 90.61/88.18; mobilebert 89.69/82.88 | 80.33/77.76;
        roberta-large 94.57/88.88 | 89.35/86.46;
        albert-base-v2-fp16 90.48/83.86 | 82.40/79.50; albert-large-v2-fp16 92.55/86.27 | 85.10/82.19;
        albert-xlarge-v2-fp16 93.72/87.65 | 88.20/85.29; albert-xxlarge-v2-fp16 94.68/88.69 | 90.13/87.19;
        electra-base-fp16 92.75/87.20 | 86.50/83.87; electra-large-fp16 94.92/89.81 | 90.54/88.07;
        electra-small-fp16 85.82/79.12 | 74.10/71.38;
        gluonnlp-bert-base-cased-v1-fp16 88.60/81.92 | 78.15/75.22; roberta-large-fp16 94.59/88.80 | 89.44/86.50;
        bert-base-uncased-fp16 88.31/81.22 | 76.45/73.60; bert-large-uncased-fp16 90.61/83.81 | 81.52/78.60;
        bert-large-uncased-whole-word-masking-fp16 93.29/87.68 | 84.88/82.21""",
}
REFERENCE_F1_EM = {
    "gluonnlp": """
        albert-base-v2 90.2/83.2 | 82.1/79.3; albert-large-v2 91.8/85.2 | 84.9/81.8;
        albert-xlarge-v2 92.9/86.4 | 87.9/84.1; albert-xxlarge-v2 94.6/89.1 | 89.8/86.9;
        bert-base-uncased 88.5/80.8 | -/-; bert-large-uncased 90.9/84.1 | -/-; electra-small -/75.8 | -/70.1;
        electra-base -/86.8 | -/83.7; electra-large -/89.7 | -/88.1; mobilebert 90.0/82.9 | 79.2/76.2;
        roberta-large 94.6/88.9 | 89.4/86.5""",
}


def pairs(tables):
    """Row name -> the two numbers of a pair, None for "-"."""
    found = {}
    for place, text in tables.items():
        for entry in text.split(";"):
            name, _, numbers = entry.strip().partition(" ")
            columns = [place] if "/" in place else [f"{place}/squad-1.1", f"{place}/squad-2.0"]
            for column, pair in zip(columns, numbers.split("|"), strict=True):
                first, second = (None if part.strip() == "-" else float(part) for part in pair.split("/"))
                found[f"{column}/{name}"] = (first, second)
    return found


def test_the_published_scores_are_the_published_ones():
    published = pairs(EM_F1) | {name: (em, f1) for name, (f1, em) in pairs(F1_EM).items()}
    assert published == {
        name: (row.published.dev.em, row.published.dev.f1)
        for name, row in ROWS.items()
        if not name.startswith(("modern/", "korquad-2/"))
    }
    assert len(published) == 99


def test_the_scores_of_the_models_authors_are_kept_beside():
    wanted = {name: (em, f1) for name, (f1, em) in pairs(REFERENCE_F1_EM).items() if em is not None}
    given = {name: (row.published.reference.em, row.published.reference.f1) for name, row in ROWS.items()}
    assert {name: scores for name, scores in given.items() if scores != (None, None)} == wanted


def test_the_test_scores_are_those_of_the_leaderboards():
    tested = {name: row.published.test for name, row in ROWS.items() if row.published.test != recipes.Scores()}
    assert tested == {
        "lyeoni/korquad-1.0/mbert": recipes.Scores(71.14, 89.61),
        "korquad-2/korquad-2.1/bert-base-multilingual-cased": recipes.Scores(30.24, 45.96),
    }


def test_modern_rows_have_no_published_score_and_every_encoder_and_benchmark():
    modern = {name: row.published for name, row in ROWS.items() if name.startswith("modern/")}
    assert set(modern.values()) == {recipes.Published()}
    korean = {"klue-roberta-base", "klue-roberta-large", "kobigbird-bert-base", "mdeberta-v3-base", "A.X-Encoder-base",
              "mmBERT-small", "mmBERT-base"}  # fmt: skip
    assert set(modern) == {
        *(f"modern/{benchmark}/{name}" for name in korean for benchmark in ("korquad-1.0", "klue-mrc")),
        "modern/squad-1.1/ModernBERT-base",
        "modern/squad-2.0/ModernBERT-base",
    }


def test_a_score_is_of_the_weights_that_were_published():
    kept = {(name.partition("/")[0], recipes.planned(row, model="m").keep.best_by) for name, row in ROWS.items()}
    assert kept == {
        ("kor-squad-pl", "loss"), ("lyeoni", "last"), ("gluonnlp", "last"), ("bert-pytorch", "last"), ("etri", "f1"),
        ("modern", "f1"), ("kobigbird", "f1"), ("korquad-2", "f1"),
    }  # fmt: skip


# batch x accumulation of one device, epochs, rate, length, decay, epsilon, warm-up, clipping, layer decay
SETTINGS = {
    "kor-squad-pl/korquad-1.0": "*: 16x1 3 5e-5 512 0.01 1e-8 0 0 1; koelectra: 16x1 3 5e-5 512 0.01 1e-6 0 0 1",
    "kor-squad-pl": """
        *: 16x1 3 3e-5 384 0.01 1e-8 0 0 1; albert: 16x1 3 3e-5 384 0.01 1e-6 0 0 1;
        roberta-base: 16x1 3 3e-5 384 0.01 1e-6 0 0 1; roberta-large: 4x1 3 3e-5 384 0.01 1e-6 0 0 1;
        electra: 16x1 3 3e-5 384 0.01 1e-6 0 0 1; electra-large: 4x1 3 3e-5 384 0.01 1e-6 0 0 1;
        bert-large: 4x1 3 3e-5 384 0.01 1e-8 0 0 1""",
    "lyeoni": """
        mbert: 32x1 3 5e-5 384 0.01 1e-6 0.1 1 1; mbert-512: 32x1 3 5e-5 512 0.01 1e-6 0.1 1 1;
        mbert-batch16: 16x1 3 5e-5 384 0.01 1e-6 0.1 1 1; mbert-512-batch16: 16x1 3 5e-5 512 0.01 1e-6 0.1 1 1;
        mbert-lr3e-5: 32x1 3 3e-5 384 0.01 1e-6 0.1 1 1; mbert-lr3e-5-batch16: 16x1 3 3e-5 384 0.01 1e-6 0.1 1 1;
        mbert-512-lr3e-5: 32x1 3 3e-5 512 0.01 1e-6 0.1 1 1;
        mbert-512-lr3e-5-batch16: 16x1 3 3e-5 512 0.01 1e-6 0.1 1 1""",
    "gluonnlp": """
        albert-base: 4x3 3 2e-5 512 0.01 1e-6 0.1 1 1; albert-large: 3x4 3 2e-5 512 0.01 1e-6 0.1 1 1;
        albert-x: 1x12 3 2e-5 512 0.01 1e-6 0.1 0.1 1; bert-base: 6x2 3 3e-5 512 0.01 1e-6 0.1 1 1;
        gluonnlp-bert-base: 6x2 3 3e-5 512 0.01 1e-6 0.1 1 1; bert-large-uncased: 2x6 3 3e-5 512 0.01 1e-6 0.1 1 1;
        bert-large-uncased-whole-word-masking: 3x2 2 3e-5 512 0.01 1e-6 0.1 1 1;
        electra-small: 8x1 2 3e-4 512 0 1e-6 0.1 1 0.8; electra-base: 8x1 2 1e-4 512 0 1e-6 0.1 1 0.8;
        electra-large: 2x4 2 5e-5 512 0 1e-6 0.1 1 0.9; mobilebert: 8x1 5 4e-5 384 0.01 1e-6 0.1 1 1;
        roberta-large: 2x6 3 3e-5 512 0.01 1e-6 0.2 1 1""",
    "bert-pytorch": """
        bert-base: 12x1 2 3e-5 384 0.01 1e-6 0.1 1 1; bert-large: 12x2 2 3e-5 384 0.01 1e-6 0.1 1 1""",
    "etri": "*: 8x1 1 8.5e-5 512 0 1e-6 0.1 1 1",
    "kor-squad-pl/korquad-2.1": "*: 16x1 3 5e-5 512 0.01 1e-8 0 0 1; koelectra: 16x1 3 5e-5 512 0.01 1e-6 0 0 1",
    "kobigbird": "kobigbird: 2x4 5 3e-5 4096 0 1e-8 0 1 1; klue-roberta: 8x1 5 3e-5 512 0 1e-8 0 1 1",
    "korquad-2": """
        *: 32x1 3 3e-5 512 0.01 1e-8 0.1 1 1; kobigbird: 4x8 3 3e-5 4096 0.01 1e-8 0.1 1 1;
        A.X: 2x16 3 3e-5 8192 0.01 1e-8 0.1 1 1; mmBERT: 2x16 3 3e-5 8192 0.01 1e-8 0.1 1 1""",
    "modern/klue-mrc": "*: 16x1 5 3e-5 510 0 1e-8 0 1 1",
    "modern/korquad-1.0": "*: 16x1 3 3e-5 510 0 1e-8 0 1 1",
    "modern": "*: 16x1 3 3e-5 384 0 1e-8 0 1 1",
}


# step and overlap; 128 and none elsewhere
STEPS = {
    "kobigbird/korquad-2.1/kobigbird-bert-base": (3072, None),
    "kobigbird/korquad-2.1/klue-roberta-base": (384, None),
    "korquad-2/korquad-2.1/bert-base-multilingual-cased": (None, 128),
    "korquad-2/korquad-2.1/klue-roberta-base": (None, 128),
    "korquad-2/korquad-2.1/kobigbird-bert-base": (None, 1024),
    "korquad-2/korquad-2.1/A.X-Encoder-base": (None, 1024),
    "korquad-2/korquad-2.1/mmBERT-base": (None, 1024),
}


def wanted_settings(name):
    """What SETTINGS says of a row: of the longest beginning of its name."""
    source, benchmark, last = name.split("/")
    text = SETTINGS.get(f"{source}/{benchmark}") or SETTINGS[source]
    entries = dict(entry.strip().split(": ") for entry in text.split(";"))
    return entries[max((key for key in entries if last.startswith(key)), key=len, default="*")]


def config_of(row):
    return recipes.planned(row, model=row.model or "given")


@by_name
def test_the_settings_are_the_published_ones(name):
    row, source = ROWS[name], name.partition("/")[0]
    config = config_of(row)
    optimizer, accumulate = config.optimizer, config.optimizer.accumulate / row.devices
    numbers = (config.epochs, config.learning_rate, config.max_length, optimizer.weight_decay, optimizer.adam_epsilon,
               optimizer.warmup, optimizer.clip, optimizer.layer_decay)  # fmt: skip
    batches, *others = wanted_settings(name).split()
    assert f"{config.batch_size}x{accumulate:g}" == batches
    assert numbers == tuple(map(float, others))
    assert (config.step, config.overlap) == STEPS.get(name, (128, None))
    assert config.max_question_length == (128 if source == "etri" else 64)
    # on whole pages no answer is cut at 30 tokens
    longest = for_contexts(config).decoding.max_answer_length
    assert longest == (config.max_length if "/korquad-2.1/" in name else 30)
    assert config.no_block_head == (source == "kobigbird")
    assert optimizer.no_bias_correction == (source in ("lyeoni", "gluonnlp", "bert-pytorch"))
    assert (config.keep.best_by == "loss") == (source == "kor-squad-pl")
    assert (config.null_threshold == 0.0) == (source in ("kor-squad-pl", "modern"))
    assert config.precision == (
        "fp16" if name.endswith("-fp16") else "auto" if source in ("modern", "korquad-2") else "fp32"
    )


def test_rows_of_several_devices_are_gluonnlps_kobigbirds_and_large_models():
    large = ("bert-large", "roberta-large", "electra-large")
    for name, row in ROWS.items():
        source, _, last = name.split("/")
        four = source == "gluonnlp" or (source == "kor-squad-pl" and last.startswith(large))
        assert row.devices == (8 if source == "kobigbird" else 4 if four else 1), name


def test_rows_name_what_they_lack():
    needs = {name.partition("/")[0]: row.needs for name, row in ROWS.items() if row.needs}
    assert needs == {"gluonnlp": "joint answerability head"}
    open_rows = [name for name, row in ROWS.items() if row.model is None and not row.needs]
    assert open_rows == ["etri/korquad-1.0/etri-morpheme-bert"]  # ETRI itself gives its weights


def test_only_a_morpheme_bert_is_given_morphemes():
    assert {name: config_of(row).morphemes for name, row in ROWS.items() if config_of(row).morphemes} == {
        "etri/korquad-1.0/etri-morpheme-bert": "mecab"
    }


@by_name
def test_a_row_has_a_source_a_benchmark_and_an_encoder_of_the_hub(name):
    row = ROWS[name]
    assert row.title
    assert row.url.startswith("https://")
    assert row.model is None or row.model.count("/") == 1


def test_no_row_is_given_twice():
    for source in recipes.sources():
        path = recipes.reading.FOLDER / f"{source}.yaml"
        keys = Counter(key.value for key, _ in mapping_of(yaml.compose(path.read_text("utf-8")), "rows"))
        assert [name for name, count in keys.items() if count > 1] == []


def mapping_of(node, name):
    return next(value.value for key, value in node.value if key.value == name)


def tiny_encoder():
    """An ELECTRA of two layers: it has every part that groups of weights are made of."""
    torch.manual_seed(0)
    config = transformers.ElectraConfig(
        vocab_size=30, embedding_size=4, hidden_size=8, num_hidden_layers=LAYERS, num_attention_heads=2,
        intermediate_size=8, max_position_embeddings=16,
    )  # fmt: skip
    return transformers.ElectraForQuestionAnswering(config)


@by_name
def test_the_optimizer_of_a_row_is_as_its_settings_say(name):
    config = config_of(ROWS[name])
    model = tiny_encoder()
    optimizer = make_optimizer(model, config)
    decay, depth = config.optimizer.layer_decay, LAYERS + 2
    powers = [depth, *(depth - layer for layer in range(1, LAYERS + 1)), 0]  # embeddings, layers, head
    rates = sorted({config.learning_rate * decay**power for power in powers})
    assert sorted({group["lr"] for group in optimizer.param_groups}) == pytest.approx(rates)
    assert {group["eps"] for group in optimizer.param_groups} == {config.optimizer.adam_epsilon}
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.0, config.optimizer.weight_decay}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(model.parameters()))
    assert isinstance(optimizer, UncorrectedAdamW) == config.optimizer.no_bias_correction


@by_name
def test_the_schedule_of_a_row_warms_up_and_falls_as_its_settings_say(name):
    config = config_of(ROWS[name])
    optimizer = make_optimizer(tiny_encoder(), config)
    schedule, steps = make_schedule(optimizer, config, 100), 100
    rates = []
    for _ in range(steps):
        rates.append(schedule.get_last_lr()[-1] / optimizer.param_groups[-1]["initial_lr"])
        optimizer.step()
        schedule.step()
    warmup = round(config.optimizer.warmup * steps)
    rising = [step / warmup for step in range(warmup)]
    falling = [(steps - step) / (steps - warmup) for step in range(warmup, steps)]
    if name.startswith(("kor-squad-pl/", "kobigbird/")):
        assert rates == [1.0] * steps
    else:
        assert rates == pytest.approx(rising + falling)


@pytest.mark.parametrize("name", [name for name in ROWS if name.startswith("lyeoni/")])
def test_a_sweep_row_takes_the_published_steps_on_the_published_windows(name):
    # The windows are those of the logs (80,917 at length 384, 67,561 at 512); steps = ceil(windows / batch) * epochs.
    row = ROWS[name]
    config = config_of(row)
    published = {(384, 32): 7587, (512, 32): 6336, (384, 16): 15174, (512, 16): 12669}
    assert row.published.windows == {384: 80917, 512: 67561}[config.max_length]
    assert row.published.steps in (None, published[config.max_length, config.batch_size])
    assert our_steps(config, row.published.windows) == published[config.max_length, config.batch_size]


def test_two_rows_of_the_sweep_have_no_published_steps():
    silent = [name for name in ROWS if name.startswith("lyeoni/") and ROWS[name].published.steps is None]
    assert silent == ["lyeoni/korquad-1.0/mbert-512-lr3e-5", "lyeoni/korquad-1.0/mbert-512-lr3e-5-batch16"]


GLUONNLP = [name for name in ROWS if name.startswith("gluonnlp/") and ROWS[name].published.steps]


def our_steps(config, windows):
    return step_count(config, math.ceil(windows / config.batch_size))


def their_steps(config, windows):
    """GluonNLP's run_squad.py: windows are dealt to 4 processes, and accumulation runs on over the end of an epoch."""
    batches = math.ceil(math.ceil(windows / 4) / config.batch_size)  # of one process, in one epoch
    return int(config.epochs * batches / (config.optimizer.accumulate / 4))


def windows_that_give(row):
    """The numbers of training windows with which GluonNLP's script takes the published steps."""
    config, published = config_of(row), row.published
    questions = {"squad-1.1": 87_599, "squad-2.0": 130_319}[row.benchmark]
    possible = range(questions, int(questions * 1.03))  # each question has a window, and few have more
    lowest = bisect_left(possible, published.steps, key=lambda windows: their_steps(config, windows))
    highest = published.steps_up_to or published.steps
    return possible[lowest : bisect_right(possible, highest, key=lambda windows: their_steps(config, windows))]


def test_gluonnlp_published_the_steps_of_these_rows():
    steps = {name: (ROWS[name].published.steps, ROWS[name].published.steps_up_to) for name in GLUONNLP}
    albert = [f"gluonnlp/squad-2.0/albert-{size}-v2" for size in ("base", "large", "xlarge", "xxlarge")]
    assert [steps[f"{name}{suffix}"] for name in albert for suffix in ("", "-fp16")] == [(8160, 8164)] * 8
    assert steps["gluonnlp/squad-2.0/bert-large-uncased-whole-word-masking-fp16"] == (10879, None)
    assert steps["gluonnlp/squad-2.0/mobilebert"] == (20615, None)


@pytest.mark.parametrize("name", GLUONNLP)
def test_gluonnlps_steps_are_ours_but_for_the_end_of_each_epoch(name):
    # We step at the end of an epoch with the batches there are: at most one step an epoch more.
    config, possible = config_of(ROWS[name]), windows_that_give(ROWS[name])
    assert possible
    more = {our_steps(config, windows) - their_steps(config, windows) for windows in possible}
    assert min(more) >= 0
    assert max(more) <= config.epochs


@pytest.mark.parametrize(
    ("encoders", "lowest", "highest"),
    [
        # one vocabulary, whole-word masking and ELECTRA included, so one number of windows at one length
        (["bert-base-uncased", "bert-large-uncased", "bert-large-uncased-whole-word-masking-fp16", "electra-small",
          "electra-base", "electra-large"], 130_537, 130_548),
        (["mobilebert"], 131_905, 131_936),  # the same vocabulary at length 384: more windows
    ],
)  # fmt: skip
def test_gluonnlps_steps_agree_on_the_number_of_windows(encoders, lowest, highest):
    sets = [set(windows_that_give(ROWS[f"gluonnlp/squad-2.0/{encoder}"])) for encoder in encoders]
    assert sorted(set.intersection(*sets)) == list(range(lowest, highest + 1))
