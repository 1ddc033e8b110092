"""The generator of mock documents: same bytes for the same seed, shapes and sizes like real documents."""

from __future__ import annotations

import hashlib
import os
import re
import statistics
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice

import pytest
from lxml import etree

from provenir_lab.errors import CATEGORIES, UsageError
from provenir_lab.mock import FAULTS, PROFILES, MockDocument, generate, spoil
from provenir_lab.mock.shapes import Items, Part, Repeat, shapes
from provenir_lab.mock.values import values

DIGEST = """
import hashlib
from provenir_lab.mock import generate
digest = hashlib.sha256()
for profile, count in (("compact", 40), ("realistic", 20), ("heavy", 2)):
    for document in generate(count, profile=profile, seed=7, duplicate_contacts=0.2, faults=0.2):
        digest.update(repr(document).encode())
print(digest.hexdigest())
"""


@dataclass(frozen=True)
class Sample:
    """What the tests look at in one realistic document, without keeping it."""

    size: int
    head: str
    """Up to CustData."""
    data: str
    """CustData."""
    tail: str
    """The first and last characters after CustData."""
    traits: frozenset[str]
    """Which of `TRAITS` stand after CustData, and which must never stand anywhere."""


TRAITS = ("<!--", "<ArrayElementString>", "<algorithmID>", "<application ", "<contact con_id=")
NEVER = ("\r", "<![CDATA[", "<?xml", "xmlns")


@cache
def realistic() -> tuple[Sample, ...]:
    return tuple(map(sample, generate(700, seed=11)))


def sample(document: MockDocument) -> Sample:
    assert document.fault is None
    assert document.duplicate_of is None
    head, _, rest = document.text.partition("<CustData>")
    data, _, tail = rest.partition("</CustData>")
    traits = [text for text in TRAITS if text in tail] + [text for text in NEVER if text in document.text]
    size = len(document.text.encode())
    return Sample(size, head, data, tail[:50] + tail[-50:], frozenset(traits))


def con_ids(document: MockDocument) -> set[str]:
    data = document.text[document.text.index("<CustData>") : document.text.index("</CustData>")]
    return set(re.findall(r'<contact [^>]*?con_id="(\d+)"', data))


# -- same seed, same bytes -------------------------------------------------------------------------------


def test_bytes_do_not_depend_on_the_process() -> None:
    digests = set()
    for hash_seed in ("0", "12345"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True
        )
        digests.add(run.stdout.strip())
    assert len(digests) == 1
    assert len(digests.pop()) == 64


def test_bytes_stay_the_same_from_version_to_version() -> None:
    # Results name their workload by seed and profile: new bytes make stored ones incomparable, so on purpose.
    digest = hashlib.sha256()
    for profile in PROFILES:
        for document in generate(5, profile=profile, seed=1):
            digest.update(document.text.encode())
    assert digest.hexdigest()[:16] == "06131641cc4731e5"


@pytest.mark.parametrize("profile", PROFILES)
def test_a_document_does_not_depend_on_where_its_run_starts(profile: str) -> None:
    whole = list(generate(8, seed=3, profile=profile, start_app_id=500))
    assert list(generate(3, seed=3, profile=profile, start_app_id=505)) == whole[5:]
    assert list(generate(1, seed=3, profile=profile, start_app_id=502)) == whole[2:3]


def test_seeds_and_profiles_give_different_documents() -> None:
    texts = {next(generate(1, seed=seed, profile=profile)).text for seed in (1, 2, 3) for profile in PROFILES}
    assert len(texts) == 9


# -- identities ------------------------------------------------------------------------------------------


def test_app_ids_and_con_ids_are_unique_across_ranges_that_touch() -> None:
    apps: list[int] = []
    contacts: Counter[str] = Counter()
    for start in (1, 401, 801):
        for document in generate(400, seed=start, profile="compact", start_app_id=start):
            apps.append(document.app_id)
            contacts.update(con_ids(document))
    assert apps == list(range(1, 1201))
    assert max(contacts.values()) == 1
    assert len(contacts) > 1200


def test_app_id_stands_in_the_document() -> None:
    for document in generate(50, profile="compact", start_app_id=77):
        assert re.search(rf'<Request [^>]*\bID="{document.app_id}"', document.text)


def test_ids_have_at_most_nine_digits() -> None:
    document = next(generate(1, profile="compact", start_app_id=499_999_999))
    assert all(1 <= len(con_id) <= 9 for con_id in con_ids(document))
    with pytest.raises(UsageError, match="start_app_id"):
        generate(2, start_app_id=499_999_999)


def test_identities_are_invented() -> None:
    text = "".join(document.text for document in generate(300, profile="compact"))
    assert set(re.findall(r"[\w.]+@([\w.]+)", text.lower())) <= {"example.test"} | undefined(text)
    phones = re.findall(r'(?:cell_phone|home_phone|b_phone_no)="([^"]+)"', text)
    assert len(phones) > 100
    assert all("555" in phone for phone in phones)
    numbers = re.findall(r' ssn="(\d{9})"', text)
    assert len(numbers) > 200
    assert all(number.startswith("9") for number in numbers)
    cards = re.findall(r'account_number="(\d{16})"', text)
    assert all(card.startswith("0000") for card in cards)


def undefined(text: str) -> set[str]:
    """What follows the @ of a script engine's `Undefined@1a2b3c4d`."""
    return set(re.findall(r"undefined@(\w+)", text.lower()))


# -- sizes and shapes ------------------------------------------------------------------------------------


def test_the_realistic_profile_has_the_measured_quantiles() -> None:
    lengths = [PROFILES["realistic"].length((i + 0.5) / 1000) for i in range(1000)]
    assert lengths == sorted(lengths)
    assert lengths[0] == pytest.approx(7_000, rel=0.02)
    assert lengths[100] == pytest.approx(10_600, rel=0.02)
    assert statistics.median(lengths) == pytest.approx(132_000, rel=0.02)
    assert statistics.mean(lengths) == pytest.approx(247_000, rel=0.02)
    assert lengths[900] == pytest.approx(542_000, rel=0.02)
    assert lengths[-1] == pytest.approx(2_000_000, rel=0.02)


def test_realistic_documents_follow_their_profile() -> None:
    # 700 documents: each bound leaves some three standard errors
    sizes = sorted(each.size for each in realistic())
    tenths = statistics.quantiles(sizes, n=10)
    assert 5_500 <= sizes[0] <= 8_000
    assert 8_500 <= tenths[0] <= 18_000
    assert 105_000 <= statistics.median(sizes) <= 175_000
    assert 210_000 <= statistics.mean(sizes) <= 285_000
    assert 440_000 <= tenths[8] <= 790_000
    assert 1_300_000 <= sizes[-1] <= 2_010_000


def test_compact_and_heavy_sizes() -> None:
    compact = [len(document.text) for document in generate(300, profile="compact")]
    assert 9_000 <= statistics.mean(compact) <= 11_000
    assert min(compact) >= 6_000
    assert max(compact) <= 16_000
    heavy = [len(document.text) for document in generate(12, profile="heavy")]
    assert min(heavy) >= 990_000
    assert max(heavy) <= 2_010_000


def test_what_is_mapped_stands_near_the_start() -> None:
    ends = [len(each.head) + len(each.data) for each in realistic()]
    assert 8_800 <= statistics.mean(ends) <= 10_400
    shares = [end / each.size for end, each in zip(ends, realistic(), strict=True)]
    assert 0.04 <= statistics.median(shares) <= 0.09


def test_texts_look_like_those_of_the_source() -> None:
    with_mark = sum(each.head.startswith("\ufeff<Provenir ") for each in realistic())
    assert 0.95 < with_mark / 700 < 1
    for each in realistic():
        assert each.head.startswith(("\ufeff<Provenir ", "<Provenir "))
        assert each.tail.endswith("</Provenir>\n")
        assert not each.traits & set(NEVER)
        each.data.encode("cp1252")
    assert 0 < sum("<!--" in each.traits for each in realistic()) < 0.06 * 700


def test_shares_of_elements_and_attributes_are_those_of_real_documents() -> None:
    elements: Counter[str] = Counter()
    present: Counter[tuple[str, str]] = Counter()
    filled: Counter[tuple[str, str]] = Counter()
    for each in realistic():
        for tag, attributes in re.findall(r"<(\w+)((?: [\w-]+=\"[^\"]*\")*)", each.data):
            elements[tag] += 1
            for name, value in re.findall(r' ([\w-]+)="([^"]*)"', attributes):
                present[tag, name] += 1
                filled[tag, name] += bool(value.strip())
    # (present, not blank) as measured on real documents
    measured = {
        ("application", "app_receive_date"): (1.00, 0.99),
        ("application", "IP_address"): (0.78, 0.70),
        ("application", "Debit_Funding_Source"): (0.91, 0.12),
        ("application", "esign_consent_flag"): (0.47, 0.44),
        ("application", "signed_date"): (0.02, 0.00),
        ("app_product", "decision_tp_c"): (1.00, 0.96),
        ("app_product", "DIE_Plus_Score"): (0.45, 0.45),
        ("app_product", "adverse_actn1_type_cd"): (0.99, 0.29),
        ("app_product", "aggregate_balance"): (0.20, 0.00),
        ("rmts_info", "late_payment_fee"): (0.64, 0.49),
        ("rmts_info", "primary_last_name"): (1.00, 0.56),
        ("contact", "birth_date"): (1.00, 0.97),
        ("contact", "banking_aba"): (0.77, 0.02),
        ("contact_address", "Patriot_Act_city"): (0.93, 0.10),
        ("contact_address", "ownership_tp_c"): (0.33, 0.06),
        ("contact_employment", "b_salary"): (0.98, 0.98),
        ("app_prod_bcard", "max_line"): (0.11, 0.11),
    }
    for (tag, name), shares in measured.items():
        found = present[tag, name] / elements[tag], filled[tag, name] / elements[tag]
        assert found == pytest.approx(shares, abs=0.11), (tag, name)


def test_shares_of_contacts() -> None:
    roles = Counter(tuple(sorted(re.findall(r'ac_role_tp_c="(\w+)"', each.data))) for each in realistic())
    two = sum(count for found, count in roles.items() if "AUTHU" in found or "SEC" in found)
    assert 0.06 <= two / 700 <= 0.12
    assert roles["PR", "PR"] > 0, "a contact that is repeated with fewer attributes"
    assert roles["PR", "SEC"] > 0 or roles["PR", "PR", "SEC"] > 0


def test_documents_are_well_formed_and_deep() -> None:
    depths = []
    for document in generate(60, seed=12):
        root = etree.fromstring(document.text.removeprefix("\ufeff").encode())
        depths.append(max(len(list(element.iterancestors())) for element in root.iter()))
    assert 12 <= max(depths) <= 30


def test_the_order_of_elements_varies() -> None:
    sections, children = set(), set()
    for document in generate(400, seed=12, profile="compact"):
        root = etree.fromstring(document.text.removeprefix("\ufeff").encode())
        request = root.find("Request")
        assert request is not None
        sections.add(tuple(child.tag for child in request if isinstance(child.tag, str)))
        application = request.find("CustData/application")
        assert application is not None
        children.add(tuple(dict.fromkeys(child.tag for child in application)))
    assert len(sections) > 15
    assert any(order[0] == "Messages" for order in sections), "a section before CustData"
    assert any(order.index("contact") < order.index("app_product") for order in children)


def test_reports_hold_elements_that_resemble_mapped_ones() -> None:
    found = frozenset().union(*(each.traits for each in realistic()))
    assert found >= {"<ArrayElementString>", "<algorithmID>", "<application ", "<contact con_id="}
    assert any("<application " in each.head for each in realistic())


# -- one at a time ---------------------------------------------------------------------------------------


def test_nothing_is_generated_before_it_is_asked_for() -> None:
    documents = generate(400_000_000, profile="heavy")
    assert [document.app_id for document in islice(documents, 2)] == [100_001, 100_002]


def test_memory_does_not_grow_with_the_number_of_documents() -> None:
    list(generate(1, profile="heavy"))
    tracemalloc.start()
    total = sum(len(document.text) for document in generate(40, profile="heavy"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total > 40_000_000
    assert peak < 20_000_000


# -- duplicate contacts and faults -----------------------------------------------------------------------


def test_share_of_duplicate_contacts() -> None:
    documents = list(generate(600, seed=2, profile="compact", duplicate_contacts=0.25))
    repeats = [document for document in documents if document.duplicate_of is not None]
    assert 0.2 <= len(repeats) / 600 <= 0.3
    by_id = {document.app_id: document for document in documents}
    for document in repeats:
        owner = by_id[document.duplicate_of or 0]
        assert owner.app_id < document.app_id
        assert owner.duplicate_of is None
        assert con_ids(owner) & con_ids(document)


def test_share_of_faults_and_what_else_changes() -> None:
    good = list(generate(400, seed=4, profile="compact"))
    mixed = list(generate(400, seed=4, profile="compact", faults=0.3))
    faulty = [document for document in mixed if document.fault]
    assert 0.24 <= len(faulty) / 400 <= 0.36
    assert {document.fault for document in faulty} == {fault.category for fault in FAULTS.values()}
    for before, after in zip(good, mixed, strict=True):
        assert (before == after) == (after.fault is None)
        assert before.campaign_num == after.campaign_num


def test_every_fault_has_a_known_category_and_changes_the_document() -> None:
    document = next(generate(1))
    texts = {spoil(document, name).text for name in FAULTS}
    assert len(texts | {document.text}) == len(FAULTS) + 1
    assert {fault.category for fault in FAULTS.values()} <= set(CATEGORIES)


# -- what cannot be done ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"profile": "realstic"}, "did you mean realistic"),
        ({"profile": "?"}, "compact, realistic, heavy"),
        ({"faults": 1.5}, "faults is a share"),
        ({"duplicate_contacts": -0.1}, "duplicate_contacts is a share"),
        ({"start_app_id": 0}, "1..499999999"),
    ],
)
def test_impossible_wishes_are_refused_at_once(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        generate(1, **arguments)  # type: ignore[arg-type]


def test_no_documents() -> None:
    assert list(generate(0)) == []
    with pytest.raises(UsageError):
        generate(-1)


# -- the data files --------------------------------------------------------------------------------------


def test_shapes_make_a_hundred() -> None:
    assert sum(shape.weight for shape in shapes()) == 100


def test_every_line_of_the_values_is_used_by_some_shape() -> None:
    parts = [part for shape in shapes() for part in flat((*shape.opening, *shape.data, *shape.closing))]
    used = {id(pool) for part in parts for pool, _ in part.slots}
    assert not [key for key, value in values().items() if value.pool and id(value.pool) not in used]


def flat(items: Items) -> Iterator[Part]:
    for item in items:
        if isinstance(item, Repeat):
            yield from flat(item.items)
        else:
            yield item
