"""--config FILE.yaml"""

from __future__ import annotations

import pytest

from dokhae.cli.configuration import with_config
from dokhae.cli.predict import predict
from dokhae.cli.train import train
from dokhae.errors import DataError, SettingsError


@pytest.fixture
def config(write):
    return lambda text: str(write("settings.yaml", text))


def test_a_file_stands_for_the_options_in_it(config):
    path = config("model: runs/k\nbatch_size: 4\nnull_threshold: -2\n")
    options = ["--model", "runs/k", "--batch_size", "4", "--null_threshold", "-2"]
    assert with_config(["dev.json", "--config", path], predict) == [*options, "dev.json"]
    assert with_config([f"--config={path}", "dev.json"], predict) == [*options, "dev.json"]


def test_options_on_the_command_line_win_however_they_are_spelt(config):
    path = config("model: runs/k\nbatch-size: 4\n")
    assert with_config(["--batch-size", "8", "--config", path], predict) == ["--model", "runs/k", "--batch-size", "8"]
    assert with_config(["--batch_size=8", "--config", path], predict) == ["--model", "runs/k", "--batch_size=8"]


def test_groups_are_nested_mappings(config):
    path = config("epochs: 3\noptimizer:\n  warmup: 0.2\n  weight-decay: 0\nkeep: {best: 2}\ndecoding:\n")
    assert with_config(["--config", path, "--optimizer.warmup", "10"], train) == [
        "--epochs", "3", "--optimizer.weight_decay", "0", "--keep.best", "2", "--optimizer.warmup", "10",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("trust_remote_code: true", ["--trust_remote_code"]),
        ("trust_remote_code: false", []),
        ("benchmark: null", []),
    ],
)
def test_true_is_a_bare_option_and_false_or_null_is_none(config, text, options):
    assert with_config(["--config", config(text)], predict) == options


def test_of_several_files_the_later_one_wins(write):
    first, second = write("a.yaml", "model: a\nout: p.json"), write("b.yaml", "model: b")
    files = ["--config", str(first), "--config", str(second)]
    assert with_config(files, predict) == ["--model", "b", "--out", "p.json"]


def test_a_later_file_takes_back_a_bare_option(write):
    first, second = write("a.yaml", "trust_remote_code: true"), write("b.yaml", "trust_remote_code: false")
    assert with_config(["--config", str(first), "--config", str(second)], predict) == []


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["--trust-remote-code=true"], ["--trust-remote-code"]),
        (["--trust_remote_code=false"], []),
        (["--trust_remote_code=False"], []),
        (["--model=false"], ["--model=false"]),
        (["--", "--trust_remote_code=false"], ["--", "--trust_remote_code=false"]),
    ],
)
def test_bare_options_take_true_and_false_as_well(arguments, options):
    assert with_config(arguments, predict) == options


def test_false_on_the_command_line_takes_back_what_a_file_says(config):
    path = config("trust_remote_code: true")
    assert with_config(["--config", path], predict) == ["--trust_remote_code"]
    assert with_config(["--config", path, "--trust_remote_code=false"], predict) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: x", "modle is not a setting; did you mean model?"),
        ("optimizer: {warmpu: 1}", "optimizer.warmpu is not a setting; did you mean optimizer.warmup?"),
        ("7: x", "7 is not a setting; known are model, train, "),
        ("optimizer: 3", "optimizer is a group of settings, not one value"),
        ("model: {name: x}", "model is one value, not a group of settings"),
        ("trust_remote_code: yes please", "trust_remote_code: is 'yes please'; it has to be true or false"),
        ("epochs: true", "epochs: is True; it has to be one value"),
        ("model: [a, b]", r"model: is \['a', 'b'\]; it has to be one value"),
        ("model: [a", "is not YAML: "),
        ("- a\n- b", "has to be a mapping of setting: value"),
        ("just text", "has to be a mapping of setting: value"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_the_file(config, text, message):
    with pytest.raises(SettingsError, match=f"^[^ ]*settings.yaml: {message}"):
        with_config(["--config", config(text)], train)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="none.yaml: no such file"):
        with_config(["--config", str(tmp_path / "none.yaml")], train)


@pytest.mark.parametrize("arguments", [["--config"], ["--config="]])
def test_config_needs_a_file(arguments):
    with pytest.raises(SettingsError, match="--config needs a file"):
        with_config(arguments, train)


def test_a_verb_runs_from_a_file(dokhae, write, questions, tiny_bert):
    path = write("settings.yaml", f"benchmark: squad-1.1\nmodel: {tiny_bert}\nmax-length: 40\nstep: 8\n")
    outcome = dokhae("ceiling", questions, "--config", path)
    assert outcome.code == 0
    assert "exact match" in outcome.out


def test_the_faults_of_a_file_are_one_line(refusal, write):
    assert refusal("train", "--config", write("a.yaml", "modle: x")).endswith("; did you mean model?")


LYEONI = "lyeoni/korquad-1.0/mbert-512"


@pytest.fixture
def with_data(tmp_path, monkeypatch):
    """A folder to work in where the official files of KorQuAD 1.0 are."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for part in ("train", "dev"):
        (tmp_path / "data" / f"KorQuAD_v1.0_{part}.json").touch()


def as_mapping(arguments):
    """--name value --flag -> {"name": "value", "flag": ""}; a name may come once."""
    found = {}
    for place, argument in enumerate(arguments):
        if argument.startswith("--"):
            assert argument not in found
            following = arguments[place + 1 : place + 2]
            found[argument[2:]] = "" if not following or following[0].startswith("--") else following[0]
    return found


def test_a_recipe_gives_everything_that_is_not_given(with_data):
    assert as_mapping(with_config(["--recipe", LYEONI], train)) == {
        "recipe": LYEONI,
        "benchmark": "korquad-1.0",
        "model": "google-bert/bert-base-multilingual-cased",
        "train": "data/KorQuAD_v1.0_train.json",
        "dev": "data/KorQuAD_v1.0_dev.json",
        "out": f"runs/{LYEONI}",
        "max_length": "512",
        "step": "128",
        "max_question_length": "64",
        "batch_size": "32",
        "learning_rate": "5e-05",
        "epochs": "3",
        "misplaced_answers": "skip",
        "precision": "fp32",
        "optimizer.weight_decay": "0.01",
        "optimizer.adam_epsilon": "1e-06",
        "optimizer.no_bias_correction": "",
        "optimizer.schedule": "linear",
        "optimizer.warmup": "0.1",
        "optimizer.clip": "1.0",
        "decoding.n_best": "20",
        "decoding.max_answer_length": "30",
        "decoding.search": "pruned",
        "keep.best_by": "last",
    }


def test_a_file_wins_over_the_recipe_and_the_command_line_over_both(with_data, config):
    path = config(f"recipe: {LYEONI}\nbatch_size: 16\nepochs: 2\noptimizer: {{warmup: 0.2, clip: 0.5}}")
    arguments = ["--config", path, "--epochs", "1", "--optimizer.clip=2"]
    found = as_mapping([part for word in with_config(arguments, train) for part in word.split("=")])
    assert found["recipe"] == LYEONI
    assert (found["batch_size"], found["optimizer.warmup"]) == ("16", "0.2")
    assert (found["epochs"], found["optimizer.clip"]) == ("1", "2")
    assert found["max_length"] == "512"


def test_a_recipe_on_the_command_line_wins_over_one_in_a_file(with_data, config):
    path = config("recipe: kor-squad-pl/korquad-1.0/kobert")
    found = as_mapping(with_config(["--config", path, "--recipe", LYEONI], train))
    assert (found["recipe"], found["batch_size"]) == (LYEONI, "32")


@pytest.mark.parametrize("arguments", [["--overlap", "64"], ["--overlap=64"]])
def test_an_overlap_takes_the_place_of_the_step_of_a_recipe(with_data, arguments):
    assert "--step" not in with_config(["--recipe", LYEONI, *arguments], train)
    assert with_config(["--recipe", LYEONI, "--step", "32"], train).count("--step") == 1


def test_what_a_recipe_switches_on_can_be_switched_off(with_data, config):
    path = config("optimizer: {no_bias_correction: false}")
    for arguments in (["--config", path], ["--optimizer.no_bias_correction=false"]):
        words = " ".join(with_config(["--recipe", LYEONI, *arguments], train))
        assert "no_bias_correction" not in words


def test_own_data_needs_no_official_file(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = str(write("mine.json", "{}"))
    found = as_mapping(with_config(["--recipe", LYEONI, "--train", file, "--dev", file], train))
    assert (found["train"], found["dev"]) == (file, file)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", LYEONI], f"{LYEONI}: data/KorQuAD_v1.0_train.json and data/KorQuAD_v1.0_dev.json are not here; "
            "fetch with `dokhae data download korquad-1.0 --out data`, or name --train and --dev"),
        (["--recipe", LYEONI, "--train", "x"], f"{LYEONI}: data/KorQuAD_v1.0_dev.json is not here; fetch with "
            "`dokhae data download korquad-1.0 --out data`, or name --dev"),
        (["--recipe", "gluonnlp/squad-2.0/electra-base"], "gluonnlp/squad-2.0/electra-base: needs what this version of "
            "dokhae does not have yet: joint answerability head; without it its scores could not be compared"),
        (["--recipe=lyeoni/korquad-1.0/mbert-51"], "recipe 'lyeoni/korquad-1.0/mbert-51' is not known; did you mean "
            "lyeoni/korquad-1.0/mbert-512?; `dokhae recipes` lists all of them"),
    ],
)  # fmt: skip
def test_a_recipe_that_cannot_run_is_refused_with_what_to_do(refusal, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert refusal("train", *arguments) == message
    assert not list(tmp_path.iterdir())


TABLE = "title: t\nurl: https://x.org\nencoders: {tiny: {note: Ask us.}}\nrows: {korquad-1.0/tiny: {}}"


def test_a_row_without_an_encoder_asks_for_one(write, with_data):
    name = f"{write('mine.yaml', TABLE)}/korquad-1.0/tiny"
    with pytest.raises(
        SettingsError, match=r"mine.yaml/korquad-1.0/tiny: its weights are on no hub; .* --model FOLDER. Ask us."
    ):
        with_config(["--recipe", name], train)
    assert as_mapping(with_config(["--recipe", name, "--model", "m"], train))["train"] == "data/KorQuAD_v1.0_train.json"


def test_help_does_not_ask_for_the_files_of_a_recipe(dokhae, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for flag in ("--help", "-h"):
        assert "--recipe" in dokhae("train", "--recipe", LYEONI, flag).out


def test_a_recipe_without_a_name_is_refused(dokhae):
    assert dokhae("train", "--epochs", "1", "--recipe").code == 2
    assert dokhae("train", "--recipe", "--epochs", "1").code == 2


def test_only_commands_with_that_option_know_recipes(refusal):
    assert refusal("predict", "d.json", "--recipe", LYEONI).startswith("--recipe is not an option")


def test_a_bare_option_with_another_value_is_refused():
    with pytest.raises(SettingsError, match=r"=yes: --trust_remote_code is given bare, or with =true"):
        with_config(["--trust_remote_code=yes"], train)


def test_an_overlap_that_is_given_takes_the_place_of_a_step_in_a_file(tmp_path):
    (tmp_path / "a.yaml").write_text("step: 64\nepochs: 1\n")
    found = with_config(["--config", str(tmp_path / "a.yaml"), "--overlap", "32"], train)
    assert found == ["--epochs", "1", "--overlap", "32"]
