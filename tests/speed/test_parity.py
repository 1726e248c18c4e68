from __future__ import annotations

import json
import re

import pytest
from speed.parity import Arguments, current, run, spread, table, verdict
from speed.render import parity_part
from speed.shared import shared_file, surroundings

from dokhae.errors import DataError


def rows(side, *scores):
    path = {"plain": "padded", "dokhae": "packed"}[side]
    return [
        {"side": side, "path": path, "seed": seed, "exact_match": score, "f1": score + 10, "seconds": 60.0}
        for seed, score in enumerate(scores)
    ]


def test_means_are_compared_with_two_standard_errors_of_their_difference():
    near = {"plain": rows("plain", 20.0, 22.0, 24.0), "dokhae": rows("dokhae", 22.0, 24.0, 26.0)}
    assert verdict("f1", near) == "f1: dokhae - plain = +2.00, two standard errors 3.27: within seed noise"
    far = near | {"dokhae": rows("dokhae", 12.0, 14.0, 16.0)}
    assert verdict("f1", far) == "f1: dokhae - plain = -8.00, two standard errors 3.27: OUTSIDE seed noise"


def test_the_table_has_every_seed_the_spread_and_the_verdict():
    found = table([*rows("plain", 20.0, 22.0, 24.0), *rows("dokhae", 22.0, 24.0, 26.0)])
    assert "| plain | 1 | 22.00 | 32.00 | 60 |" in found
    assert f"| plain | 3 seeds | {spread([20.0, 22.0, 24.0])} |" in found
    assert spread([20.0, 22.0, 24.0]) == "22.00 ± 2.00 (20.00 to 24.00)"
    assert found.count("within seed noise") == 2
    assert "seed noise" not in table(rows("plain", 20.0))


def test_what_is_done_is_not_trained_again(tmp_path, capsys):
    arguments = Arguments(seeds=(0, 1), results=tmp_path / "parity.json")
    done = [
        row | {"settings": json.loads(json.dumps(arguments.described()))}
        for row in (*rows("plain", 20.0, 22.0), *rows("dokhae", 22.0, 24.0))
    ]
    arguments.results.write_text(json.dumps(done))
    run(arguments)
    assert "| dokhae | 1 | 24.00 | 34.00 | 60 |" in capsys.readouterr().out
    assert json.loads(arguments.results.read_text()) == done


def test_rows_of_before_windows_were_packed_are_not_compared():
    first, new = rows("plain", 20.0), rows("dokhae", 30.0)
    del first[0]["path"]  # the plain side has not changed
    old = [new[0] | {"path": "padded"}, {name: value for name, value in new[0].items() if name != "path"}]
    assert current([*first, *old, *new]) == [*first, *new]


def test_each_settings_that_both_sides_have_has_a_table_the_newest_first():
    here = {"processor": "Z80", "cores": 1, "versions": {"torch": "1", "transformers": "2"}, "commit": "abc"}

    def trained(batch, side, *scores):
        told = {"batch_size": batch, "learning_rate": 2e-4, "precision": "fp32"}
        return [row | {"settings": told, "surroundings": here} for row in rows(side, *scores)]

    both = [*trained(16, "plain", 20.0), *trained(16, "dokhae", 22.0), *trained(4, "plain", 30.0)]
    assert parity_part(both).count("| side |") == 1
    later = trained(4, "dokhae", 32.0)
    later[0]["surroundings"] = here | {"commit": "def"}
    found = parity_part([*both, *later, *trained(2, "dokhae", 33.0)])
    assert ", commit def; 1 cores of Z80, torch 1, transformers 2, commit abc:" in found
    headings = re.findall(r"^Batches of (\d+) windows, learning rate 0.0002, fp32; 1 cores of Z80", found, re.M)
    assert headings == ["4", "16"]
    assert parity_part(trained(2, "dokhae", 33.0)) == "Not measured yet: `make parity`."


def test_a_folder_without_the_shared_data_is_one_clear_error(tmp_path):
    with pytest.raises(DataError, match=r"dev\.json: no such file; set DOKHAE_SHARED_DATA"):
        shared_file("squad-1.1/dev.json", tmp_path)


def test_the_surroundings_name_versions_and_no_host(monkeypatch):
    monkeypatch.setenv("MALLOC_TOP_PAD_", "64")
    found = surroundings()
    assert found["variables"]["MALLOC_TOP_PAD_"] == "64" and found["versions"]["tokenizers"]
    assert set(found) == {"processor", "cores", "memory_gib", "system", "python", "versions", "variables", "commit"}
