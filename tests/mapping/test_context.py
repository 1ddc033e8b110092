"""The names that expressions see: which elements supply them, and which of several wins (C6)."""

from __future__ import annotations

import pytest
from building import (
    APPLICATION,
    CONTACT,
    address,
    contact,
    document,
    element,
    entry,
    rows,
    shipped,
    small,
    wrapped,
)

from provenir_lab.mapping.plan import Mapper, compile_mapper

PRODUCT = f"{APPLICATION}/app_product"


def calculated(table: str, expression: str, **changes: object) -> dict[str, object]:
    return entry(table, "said", mapping_type="calculated_field", expression=expression, **changes)


def naming(expression: str) -> Mapper:
    """A mapper whose contract reads the product, Request and the application, and an expression."""
    return compile_mapper(
        small(
            calculated("t", expression),
            entry("t", "product", xml_path=PRODUCT, xml_attribute="w"),
            entry("t", "request", xml_path="/Provenir/Request", xml_attribute="r"),
            entry("t", "seen", "bit", mapping_type="char_to_bit"),
        ),
        {},
    )


def said(expression: str, text: str) -> str | None:
    found: str | None = rows(naming(expression), text)["t"][0]["said"]
    return found


OTHER = element("other", v="other", w="other w")
TEXT = document(
    contact("1", "AUTHU", v="bob", c="bob c"),
    contact("2", "PR", address(v="home", h="home h"), v="ann", c="ann c", Mixed="ann M"),
    element("app_product", element("part", v="part", p="part p"), w="product w", Big="B"),
    OTHER,
    request={"r": "request r", "Big2": "b2"},
    a="application a",
    Mixed2="m2",
    app_id="999",
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # with a tag
        ("app_product.w", "product w"),
        ("app_product.big", "B"),
        ("app_product.Big", "B"),
        ("APP_PRODUCT.W", "product w"),
        ("application.a", "application a"),
        ("application.mixed2", "m2"),
        ("application.Mixed2", "m2"),
        ("Request.r", "request r"),
        ("Request.big2", "b2"),
        ("Provenir.org", "org"),
        ("part.p", "part p"),
        ("other.w", "other w"),
        ("contact_address.h", "home h"),
        ("contact.c", "ann c"),
        ("contact.con_id", "2"),
        ("contact.Mixed", "ann M"),
        # bare
        ("a", "application a"),
        ("r", "request r"),
        ("R", "request r"),
        ("p", "part p"),
        ("h", "home h"),
        ("c", "ann c"),
        ("Big", "B"),
        ("big", "B"),
        ("w", "other w"),
        ("v", "other"),
        ("mixed", "ann M"),
        # nothing
        ("application.w", None),
        ("app_product.a", None),
        ("CustData.d", None),
        ("d", None),
        ("Reports.v", None),
        ("beyond", None),
        ("stray.s", None),
        ("s", None),
        ("nothing", None),
        ("x.y.z", None),
    ],
)
def test_what_a_name_means(name: str, expected: str | None) -> None:
    text = TEXT.replace("<Provenir>", "<Provenir org='org'>").replace("<CustData>", "<CustData d='no'>")
    text = text.replace("</CustData>", "<stray s='no' v='no'/></CustData><Reports v='no' beyond='no'/>")
    assert said(name, text) == expected
    for other in (
        "",
        "<extra/>",
        "<extra note='a r p h c w v'/>",
    ):  # the name somewhere else makes no difference
        assert said(name, text.replace("</application>", f"{other}</application>")) == expected


def test_app_id_is_the_documents() -> None:
    assert said("app_id", document()) == "7"
    assert said("app_id + 0", document()) == "7"
    assert said("app_id", document(app_id="8")) == "8"
    assert said("application.app_id", document(app_id="8")) == "8"


def test_values_are_trimmed_and_blank_ones_are_there() -> None:
    assert said("w", document(element("app_product", w="  x "))) == "x"
    text = document(element("app_product", w=" "), element("other", w2="x"))
    assert said("CASE WHEN w IS EMPTY THEN 'blank' END", text) == "blank"
    assert said("CASE WHEN w IS NULL THEN 'null' ELSE 'there' END", document()) == "null"


# ---- of several, one wins


def test_bare_names_of_later_paths_win() -> None:
    first, second = element("one", z="1"), element("two", z="2")
    assert said("z", document(first, second)) == "2"
    assert said("z", document(second, first)) == "1"
    assert said("z", document(first, second, z="0")) == "2"
    assert said("z", document(request={"z": "r"}, z="0")) == "0"
    assert said("z", document(request={"z": "r"})) == "r"


def test_a_path_keeps_the_place_of_its_first_appearance() -> None:
    """A later element at a known path replaces what is there, and does not come after what followed."""
    text = document(element("one", z="1"), element("two", z="2"), element("one", z="3"))
    assert said("z", text) == "2"
    assert said("one.z", text) == "3"


def test_the_last_element_at_a_path_replaces_the_others_whole() -> None:
    text = document(element("one", z="1"), element("one", other="2"))
    assert said("z", text) is None
    assert said("one.z", text) is None


def test_of_two_applications_the_last_counts() -> None:
    first = element("application", element("app_product", w="1"), a="1", only="x")
    text = wrapped(element("CustData", first, element("application", a="2")))
    assert (said("a", text), said("application.a", text)) == ("2", "2")
    assert said("only", text) is None
    assert said("w", text) == "1"


def test_names_of_the_primary_contact_are_the_weakest() -> None:
    """The last contact in the document supplies bare names, too; what only the primary has stays."""
    ann = contact("1", "PR", z="ann", only="ann only")
    bob = contact("2", "AUTHU", z="bob")
    assert said("z", document(ann, bob)) == "bob"
    assert said("contact.z", document(ann, bob)) == "bob"
    assert said("only", document(ann, bob)) == "ann only"
    assert said("contact.only", document(ann, bob)) == "ann only"
    assert said("z", document(ann, bob, z="application")) == "bob"


def test_the_primary_contact() -> None:
    def only(*people: str) -> str | None:
        return said("only", document(*people, contact("9", "ZZ")))

    assert (
        only(contact("1", "AUTHU", only="a"), contact("2", "PR", only="b"), contact("3", "PR", only="c"))
        == "b"
    )
    assert only(contact("1", "AUTHU", only="a"), contact("2", "AUTHU", only="b")) == "a"
    assert only(contact("1", "PR", only="a", last_name="")) is None


@pytest.mark.parametrize("where", ["before", "after", "inside"])
def test_of_equal_tags_the_path_of_the_contract_wins(where: str) -> None:
    right, wrong = (
        element("app_product", w="right"),
        element("group", element("app_product", w="wrong", x="x")),
    )
    inside = {
        "before": [wrong, right],
        "after": [right, wrong],
        "inside": [right.replace("/>", f">{wrong}</app_product>")],
    }
    text = document(*inside[where])
    assert said("app_product.w", text) == "right"
    assert said("w", text) == "right"
    assert said("app_product.x", text) == "x"


def test_a_nested_application_overrides_nothing() -> None:
    """Q7: neither in the application's subtree nor elsewhere."""
    nested = element("group", element("application", a="wrong", b="b"))
    for text in (document(nested, a="right"), document(after=element("Reports", nested), a="right")):
        assert said("application.a", text) == "right"
        assert said("a", text) == "right"
    assert said("application.b", document(nested, a="right")) == "b"


def test_tags_at_the_paths_of_ancestors_win_too() -> None:
    """An element named like an ancestor that the contract reads, inside the application."""
    text = document(element("Request", r="inner", i="i"), request={"r": "outer"})
    assert said("Request.r", text) == "outer"
    assert said("r", text) == "outer"
    assert said("Request.i", text) == "i"


@pytest.mark.parametrize("attribute", ["w", "W"])
def test_a_name_missing_at_its_usual_place(attribute: str) -> None:
    """Another element supplies it, in any letters."""
    text = document(element("app_product", x="x"), element("other", **{attribute: "there"}))
    assert said("w", text) == "there"
    assert said("app_product.w", text) is None


def test_exact_letters_before_others() -> None:
    text = document(element("one", Zed="1"), element("two", zED="2"))
    assert said("zED", text) == "2"
    assert said("Zed", text) == "1"
    assert said("ZED", text) == "1"


def test_of_spellings_in_other_letters_the_later_wins_with_a_tag() -> None:
    """`application.<lower case>` is one name for both; bare they are two."""
    text = document(Zed="1", zed="2")
    assert (said("application.zed", text), said("Zed", text), said("zed", text)) == ("2", "1", "2")
    text = document(zed="1", Zed="2")
    assert (said("application.zed", text), said("Zed", text), said("zed", text)) == ("2", "2", "1")


def test_the_name_of_another_application_element_keeps_its_letters() -> None:
    """`application.<lower case>` for every product line; under its own tag a name has its own letters."""

    def lending(expression: str, **attributes: str) -> str | None:
        contract = small(
            entry("t", "said", mapping_type="calculated_field", expression=expression),
            entry("t", "seen", "bit", mapping_type="char_to_bit"),
            entry("t", "zed", xml_path=APPLICATION.replace("application", "IL_application")),
            source_application_table="IL_application",
        )
        text = document(**attributes).replace("application", "IL_application")
        found: str | None = rows(compile_mapper(contract, {}), text)["t"][0]["said"]
        return found

    for both in ({"zed": "1", "ZED": "2"}, {"ZED": "2", "zed": "1"}):
        assert lending("IL_application.zed", **both) == "1"
        assert lending("IL_application.ZED", **both) == "2"
        assert lending("application.zed", **both) == [*both.values()][-1]
    assert lending("IL_application.zed", ZED="2") == "2"
    assert lending("IL_application.Zed", ZED="2", zeD="3") == "2"


def test_names_in_a_namespace() -> None:
    text = document(element("app_product", w="W")).replace(
        "<app_product w", "<p:app_product xmlns:p='urn:p' p:w"
    )
    assert said("app_product.w", text) == "W"
    assert said("w", text) == "W"


# ---- rows of contacts and of their children


def test_contact_rows_see_their_contact_alone() -> None:
    expressions = ("v", "V", "con_id + 1", "a", "contact.v", "application.a", "app_id", "h")
    contract = small(
        *(
            entry(
                "app_contact_base", f"c{n}", xml_path=CONTACT, mapping_type="calculated_field", expression=e
            )
            for n, e in enumerate(expressions)
        )
    )
    found = rows(compile_mapper(contract, {}), TEXT)["app_contact_base"]
    assert [[row[f"c{n}"] for n in range(len(expressions))] for row in found] == [
        ["bob", "bob", "2", None, None, None, None, None],
        ["ann", "ann", "3", None, None, None, None, None],
    ]


def test_address_rows_see_their_element_and_the_con_id() -> None:
    contract = small(
        *(
            entry(
                "app_contact_address",
                f"c{n}",
                xml_path=CONTACT,
                mapping_type="calculated_field",
                expression=e,
            )
            for n, e in enumerate(("v", "con_id + 0", "CON_ID + 0", "c", "a"))
        ),
        entry("app_contact_address", "city"),
    )
    text = document(contact("05", "PR", address(v="home", city="Springfield", con_id="999"), c="c"), a="a")
    found = rows(compile_mapper(contract, {}), text)["app_contact_address"][0]
    assert [found[f"c{n}"] for n in range(5)] == ["home", "5", "5", None, None]


# ---- the shipped contract


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        ({"adverse_actn1_type_cd": "13", "decision_date": "2023-11-05"}, "ONE"),
        ({"adverse_actn1_type_cd": ""}, None),
    ],
)
def test_score_factors_ignore_other_applications(product: dict[str, str], expected: str | None) -> None:
    """The expressions of the shipped contract read `application.*`: what stands elsewhere changes nothing."""
    text = document(
        element("app_product", **product), app_receive_date="2024-01-01", population_assignment="CM"
    )
    decoy = element(
        "application", app_receive_date="1999-01-01", population_assignment="JB", app_type_code="GPA"
    )
    plain = rows(shipped(), text)
    assert (plain["app_operational_cc"][0]["cb_score_factor_type_1"] is None) == (expected is None)
    for other in (
        text.replace("</CustData>", f"<group>{decoy}</group></CustData>"),
        text.replace("<CustData>", f"{decoy}<CustData>"),
        text.replace("</Request>", f"<Reports>{decoy}</Reports></Request>"),
    ):
        assert rows(shipped(), other) == plain


def test_months_need_both_parts() -> None:
    """Q28: years and months at an address, a blank one gives null, two zeros 0."""

    def months(**attributes: str) -> int | None:
        text = document(contact("1", "PR", address(city="x", **attributes)))
        found: int | None = rows(shipped(), text)["app_contact_address"][0]["months_at_address"]
        return found

    assert months(months_at_residence="3", years_at_residence="2") == 27
    assert months(months_at_residence="0", years_at_residence="0.0") == 0
    assert months(months_at_residence="3", years_at_residence="") is None
    assert months(months_at_residence="3") is None
    assert months(months_at_residence="three", years_at_residence="2") is None


def test_an_expression_without_its_mapping_type_is_not_read() -> None:
    """Q29."""
    contract = small(entry("t", "v", expression="'calculated'"))
    assert rows(compile_mapper(contract, {}), document(v="read"))["t"][0]["v"] == "read"


def test_a_document_without_an_application_may_still_have_names() -> None:
    """A contract that names no application element takes any document."""
    contract = small(calculated("t", "r"), source_application_table=None)
    text = wrapped("<CustData/>", request={"r": "request r"})
    assert rows(compile_mapper(contract, {}), text)["t"][0]["said"] == "request r"
