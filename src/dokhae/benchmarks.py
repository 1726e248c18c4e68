"""One row per data set: how it is read, how it is scored, where it is published.

Differences between data sets are differences of rows.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dokhae import data, metrics
from dokhae.data.releases import Licence, Release, RemoteFile, RemoteFolder
from dokhae.errors import SettingsError
from dokhae.types import Example

Read = Callable[[Path, bool], list[Example]]


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Where models are scored on the hidden test data, on CodaLab Worksheets; None: not known."""

    guide: str  # its own page on how to submit
    folder_input: bool = False  # whether predict.py is given a folder of files
    dev_data: str | None = None  # CodaLab's bundle with the dev data, as `cl add bundle` takes it
    dev_name: str | None = None  # its name on a worksheet
    evaluation: str | None = None  # the macro that scores predictions of the dev data
    tag: str | None = None  # that marks the predictions which are submitted


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Data set version + reader + scoring rule + what can be downloaded of it + where it is submitted."""

    name: str
    read: Read  # (path, labelled) -> examples
    rule: metrics.Rule
    release: Release
    html: bool = False  # whether its contexts are whole pages in HTML (KorQuAD 2.x)
    leaderboard: Leaderboard | None = None


CC_BY_SA_4 = Licence("CC BY-SA 4.0", "name the authors; pass changed copies on under the same licence")
CC_BY_ND_2_KR = Licence(
    "CC BY-ND 2.0 KR", "name the authors; no derivatives: repaired or converted copies are for private use only"
)

# Sizes, hashes and numbers of questions: dataset_infos.json of squad, squad_v2 and squad_kor_v1 in the repository
# huggingface/datasets, commit 040102f100964a33fd334e2695f1c493fa6b92db, recorded for these very addresses.
SQUAD_1 = Release(
    "SQuAD 1.1",
    "https://rajpurkar.github.io/SQuAD-explorer/",
    CC_BY_SA_4,
    (
        RemoteFile(
            "train-v1.1.json",
            "https://rajpurkar.github.io/SQuAD-explorer/dataset/train-v1.1.json",
            questions=87_599,
            size=30_288_272,
            sha256="3527663986b8295af4f7fcdff1ba1ff3f72d07d61a20f487cb238a6ef92fd955",
        ),
        RemoteFile(
            "dev-v1.1.json",
            "https://rajpurkar.github.io/SQuAD-explorer/dataset/dev-v1.1.json",
            questions=10_570,
            size=4_854_279,
            sha256="95aa6a52d5d6a735563366753ca50492a658031da74f301ac5238b03966972c9",
        ),
    ),
)
SQUAD_2 = Release(
    "SQuAD 2.0",
    "https://rajpurkar.github.io/SQuAD-explorer/",
    CC_BY_SA_4,
    (
        RemoteFile(
            "train-v2.0.json",
            "https://rajpurkar.github.io/SQuAD-explorer/dataset/train-v2.0.json",
            questions=130_319,
            size=42_123_633,
            sha256="68dcfbb971bd3e96d5b46c7177b16c1a4e7d4bdef19fb204502738552dede002",
        ),
        RemoteFile(
            "dev-v2.0.json",
            "https://rajpurkar.github.io/SQuAD-explorer/dataset/dev-v2.0.json",
            questions=11_873,
            size=4_370_528,
            sha256="80a5225e94905956a6446d296ca1093975c4d3b3260f1d6c8f68bc2ab77182d8",
        ),
    ),
)
KORQUAD_1 = Release(
    "KorQuAD 1.0",
    "https://korquad.github.io/",
    CC_BY_ND_2_KR,
    (
        RemoteFile(
            "KorQuAD_v1.0_train.json",
            "https://korquad.github.io/dataset/KorQuAD_v1.0_train.json",
            questions=60_407,
            size=38_527_475,
            sha256="40d5115879a701751781df721d901abfa736d8db5f89000f2619433f39bf2dd2",
        ),
        RemoteFile(
            "KorQuAD_v1.0_dev.json",
            "https://korquad.github.io/dataset/KorQuAD_v1.0_dev.json",
            questions=5_774,
            size=3_881_058,
            sha256="25ffeb51e6c51ec02c071b60a10188e10005c144110f0d876b26079d80a35bdf",
        ),
    ),
)
# KLUE publishes neither sizes nor hashes. Others recorded these hashes and numbers of questions of these addresses:
# ml/qa/download.py and RESULTS.md of mminjae97/retcona, commits 23cbec73e712cb78721e0d83bccbea7081e06559 and
# 9cad5ed59783404115674f5c68d1e5e730967d52, and for the dev file, the same ones, evaluate.py of
# YoungjaeDev/klue-mrc-autoresearch, commit 35a8d91d6b479f57cf5c90f5fc5722ef74c05e9d.
KLUE = (
    "https://raw.githubusercontent.com/KLUE-benchmark/KLUE/3efd98708a40ff49251fddde35453f8fbb11f536"
    "/klue_benchmark/klue-mrc-v1.1"
)
KLUE_MRC = Release(
    "KLUE-MRC 1.1",
    "https://github.com/KLUE-benchmark/KLUE",
    CC_BY_SA_4,
    (
        RemoteFile(
            "klue-mrc-v1.1_train.json",
            f"{KLUE}/klue-mrc-v1.1_train.json",
            questions=17_554,
            sha256="c52c7b82a6015c09ea8be1fea49c912e73012d8b44d3653256d91c65d519c3df",
        ),
        RemoteFile(
            "klue-mrc-v1.1_dev.json",
            f"{KLUE}/klue-mrc-v1.1_dev.json",
            questions=5_841,
            sha256="b31bb073e47cdeb19f2f1bae03d916ecabf945140334c75842d6994f700d4f47",
        ),
    ),
)
# Addresses, sizes, hashes and numbers of questions: dataset_infos.json of squad_kor_v2 in the same commit of
# huggingface/datasets. Sizes of what the archives hold: https://korquad.github.io/ ("6.4GB" and "794MB").
KORQUAD_2 = "https://github.com/korquad/korquad.github.io/raw/master/dataset/KorQuAD_2.1"
LARGEST = 2 * 2**30  # bytes that may come out of one archive; they hold about 500 MB each


def _archives(part: str, published: Sequence[tuple[int, str]]) -> tuple[RemoteFile, ...]:
    """The archives of the training or the dev part, from their sizes and hashes."""
    names = [f"KorQuAD_2.1_{part}_{number:02d}.zip" for number in range(len(published))]
    return tuple(
        RemoteFile(name, f"{KORQUAD_2}/{part}/{name}", size=size, sha256=sha256, unpacked=LARGEST)
        for name, (size, sha256) in zip(names, published, strict=True)
    )


KORQUAD_2_TRAIN = _archives(
    "train",
    (
        (96_161_084, "98918d10e3e08bf6b34b50d17cd7f7438d5a577a8089d02698d16a151424a36a"),
        (92_163_603, "0a8a59ee82e92e9509c5dbf7d98a31c007a3693afb818e37c60ddacf7f48c4b3"),
        (91_681_447, "7035a35daac0c210b4754fc6a2885442929754db35e33b40d7c912706c66b9bc"),
        (94_792_676, "4a61272d13e535f73fa20f2d1619b895adb763d8fa7cf02d813b733e7f702562"),
        (94_470_762, "35834a74b3486eaa32712c689bccaab0c841c3ee252560e754245d3ed89e1c3a"),
        (93_427_959, "5ea9b2975451c5a67bc172690a56a6e7a9e87b4001d3d1d684cb1336958a3a3b"),
        (93_224_892, "87872acd46c2a8291a176826ad7eb23f3a6cf1db05bb27566d2eac1199a9091b"),
        (92_550_803, "a615c0ebba60fc9b55fa602973d504f76d0273592c22f63b7f202655c1bb10bf"),
        (93_684_404, "fa3955e23eab859819990edde3dd23308740cf94c3839fb538f30b1126117a39"),
        (94_028_022, "b3b7ec508fbacaf6a5c12065e1d061cbfd8990bf2ae4c940a0a8d841294c2c1c"),
        (93_432_479, "b7e8e44e43ec63514265e2202f73a4a6ce46f7226cc5662efc6a2ab92161a462"),
        (94_500_610, "f6483e1e4b2577603e4fc881ec1651ca2ea5764a4b0f7e5eb59007ed9cc4bbae"),
        (99_301_520, "84c4b6391a07bc1fdcc70d7194bda0e65edc796ae9b4e184a58c58d6973af7ad"),
    ),
)
KORQUAD_2_DEV = _archives(
    "dev",
    (
        (93_536_216, "4a0b25f896f333dc470e87b83cef874a9f7ea9a3df4c83f5ce8d5de6d71b07db"),
        (56_806_828, "bf76fe7c684409151f92eacc56d551d0471477c47959b916c002ae39666caf59"),
    ),
)
KORQUAD_2_1 = Release(
    "KorQuAD 2.1",
    "https://korquad.github.io/",
    CC_BY_ND_2_KR,
    (
        RemoteFolder("korquad-2.1/train", KORQUAD_2_TRAIN, questions=83_486, size=6_400_000_000),
        RemoteFolder("korquad-2.1/dev", KORQUAD_2_DEV, questions=10_165, size=794_000_000),
    ),
)

# what 2.1 has corrected; nobody has recorded how many archives it has, nor their sizes
KORQUAD_2_0 = Release("KorQuAD 2.0", "https://korquad.github.io/KorQuad%202.0/", CC_BY_ND_2_KR)

# Guides of KorQuAD: its pages in the repository korquad/korquad.github.io, commits 005a82a1 and 01ae5e83; 1.0's names:
# README.md of lyeoni/KorQuAD, commit 01ed6aec. SQuAD's guide: docs/Competitions.md of codalab/codalab-worksheets; 1.1's
# names: a script that submitted PI-SQuAD; 2.0's dev data: README.md of rajpurkar/SQuAD-explorer, commit 615b5004.
WORKSHEETS = "https://worksheets.codalab.org/worksheets"
SQUAD_GUIDE = f"{WORKSHEETS}/0x8403d867f9a3444685c344f4f0bc8d34/"
ON_SQUAD_1 = Leaderboard(
    SQUAD_GUIDE,
    dev_data="squad-data//dev-v1.1.json",
    dev_name="dev-v1.1.json",
    evaluation="squad-utils/dev-evaluate-v1.1",
    tag="squad-test-submit",
)
ON_SQUAD_2 = Leaderboard(SQUAD_GUIDE, dev_data="0xb30d937a18574073903bb38b382aab03", dev_name="dev-v2.0.json")
ON_KORQUAD_1 = Leaderboard(
    f"{WORKSHEETS}/0xee93409b823f436d88741ab115403559/",
    dev_data="korquad-data//KorQuAD_v1.0_dev.json",
    dev_name="KorQuAD_v1.0_dev.json",
    evaluation="korquad-utils/dev-evaluate-v1.0",
)
ON_KORQUAD_2 = Leaderboard(f"{WORKSHEETS}/0xf9b9efaff9c641a7a48290fe4c94d593/", folder_input=True)

BENCHMARKS = (
    Benchmark("squad-1.1", data.read_examples, metrics.ENGLISH_WORDS, SQUAD_1, leaderboard=ON_SQUAD_1),
    Benchmark("squad-2.0", data.read_examples, metrics.ENGLISH_WORDS_WITH_NULL, SQUAD_2, leaderboard=ON_SQUAD_2),
    Benchmark("korquad-1.0", data.read_examples, metrics.KOREAN_CHARACTERS, KORQUAD_1, leaderboard=ON_KORQUAD_1),
    Benchmark("korquad-2.1", data.read_korquad2, metrics.KOREAN_CHARACTERS_HTML, KORQUAD_2_1, True, ON_KORQUAD_2),
    Benchmark("korquad-2.0", data.read_korquad2, metrics.KOREAN_CHARACTERS_HTML, KORQUAD_2_0, True),
    Benchmark("klue-mrc", data.read_examples, metrics.KOREAN_RUNS_WITH_NULL, KLUE_MRC),
)


def names() -> list[str]:
    """Every name that `find` knows."""
    return [row.name for row in BENCHMARKS]


def find(name: str) -> Benchmark:
    """The row of a benchmark; SettingsError with the nearest name where there is none."""
    for row in BENCHMARKS:
        if name.lower() == row.name:
            return row
    near = difflib.get_close_matches(name.lower(), names(), n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}? " if near else ""
    raise SettingsError(f"benchmark {name!r} is not known; {hint}known are {', '.join(names())}")


def refuse_other_contexts(reads_pages: bool, row: Benchmark, model: str) -> None:
    """SettingsError where contexts are pages and the model was trained on text, or the other way round."""
    if row.html and not reads_pages:
        raise SettingsError(f"{model}: was not trained on web pages, which {row.name} has: it would read their tags as "
                            f"text; train it with --benchmark {row.name}")  # fmt: skip
    if reads_pages and not row.html:
        raise SettingsError(f"{model}: was trained on web pages, and {row.name} has plain text, whose < and & it would "
                            "take for HTML; train one with that benchmark")  # fmt: skip
