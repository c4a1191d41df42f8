"""Expressions that users write: what they may say, what is learnt of their columns, and how columns are replaced."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.errors import InputError
from context_plane.sql import engine, syntax
from context_plane.sql.guard import check_expression, rename

ATTACKS = [
    # more than an expression
    "a, b",
    "a AS b",
    "a b",
    "a;",
    "1); DROP TABLE x; SELECT (1",
    "1), (2",
    "1) FROM secrets WHERE (1",
    "1) UNION SELECT (2",
    "1) ORDER BY (1",
    "1) AS x, (getenv('HOME')",
    "SELECT 1",
    "DISTINCT a",
    "a FROM t",
    "",
    "  ",
    "-- a",
    "a +",
    "'a",
    "a\0",
    "\ud800",
    # many rows or many columns
    "(SELECT max(a) FROM t)",
    "EXISTS (SELECT 1)",
    "a IN (SELECT 1)",
    "a = ANY(SELECT 1)",
    "(FROM 'x.parquet')",
    "(VALUES (1))",
    "sum(a)",
    "count(*)",
    "count()",
    "first(a ORDER BY b)",
    "coalesce(max(a), 1)",
    "list(a)",
    "geomean(a)",
    "json_group_array(a)",
    "sum(a) OVER ()",
    "row_number() OVER (ORDER BY a)",
    "lag(a)",
    "abs(a) FILTER (WHERE b)",
    "abs(DISTINCT a)",
    "unnest(a)",
    "generate_subscripts(a, 1)",
    "grouping(a)",
    "*",
    "t.*",
    "COLUMNS('a')",
    "COLUMNS(*) > 1",
    "*COLUMNS(*)",
    "#1",
    # lambdas, which bring names of their own
    "list_transform(a, lambda x: x + 1)",
    "list_filter(a, lambda x: getenv('HOME') = x)",
    "[x FOR x IN a]",
    "list_reduce(a, lambda x, y: x + y)",
    # parameters
    "?",
    "$1",
    "a = $name",
    "DEFAULT",
    # clock and chance
    "now()",
    "NOW()",
    "today()",
    "current_date",
    "CURRENT_TIMESTAMP",
    "a > localtimestamp",
    "get_current_timestamp()",
    "current_localtimestamp()",
    "transaction_timestamp()",
    "age(a)",
    "ago(INTERVAL 1 DAY)",
    "random() < 0.5",
    "a + random()",
    "uuid()",
    "uuidv7()",
    "setseed(1)",
    "list_aggregate(a, 'reservoir_quantile', 0.5)",
    "list_aggregate(a, b)",
    # engine, settings, catalog, environment, files, network
    "version()",
    "hash(a)",
    "getenv('HOME')",
    "getvariable('a')",
    "current_setting('threads')",
    "current_user",
    "current_database()",
    "pg_catalog.current_query()",
    "nextval('a')",
    "error('x')",
    "assert_true(a)",
    "sleep_ms(1)",
    "write_log('a')",
    "stats(a)",
    "in_search_path('a', 'b')",
    "json_serialize_plan('FROM x')",
    "json_serialize_sql('SELECT 1')",
    "json_deserialize_sql(a)",
    "has_table_privilege('a', 'b')",
    "read_text('/etc/passwd')",
    "read_csv('/etc/passwd')",
    "glob('/*')",
    "query('SELECT 1')",
    "parse_duckdb_log_message('a', 'b')",
    "__internal_decompress_string(a)",
    "icu_sort_key(a, 'de')",
    "collate_de(a)",
    "a COLLATE de",
    "a.lower()",
    "main.abs(a)",
    "system.main.getenv('HOME')",
    "no_such_function(a)",
    "CAST(a AS no_such_type)",
    "CAST(a AS main.x)",
    # the same, hidden deeper
    "CASE WHEN a THEN getenv('HOME') END",
    "CASE WHEN random() > 0.5 THEN 1 END",
    "CAST(now() AS VARCHAR)",
    "a BETWEEN 1 AND random()",
    "a IN (1, random())",
    "NOT random() > 1",
    "{'a': now()}",
    "[now()]",
    "MAP {'a': now()}",
    "a[random()::INT]",
    "a->getenv('HOME')",
    "coalesce(NULL, now())",
    "TRY(error('x'))",
    "INTERVAL (random()) DAY + a",
    "(a, now()) = (1, 2)",
    "abs(abs(abs(random())))",
    "now()::DATE - a",
    "strftime(now(), '%Y')",
    "(" * 5_000 + "1" + ")" * 5_000,
    "NOT " * 3_000 + "a",
    "a" * 20_000,
]

HONEST = {
    "tickets >= 3 AND active_days < 5": ("tickets", "active_days"),
    "event <> 'noise'": ("event",),
    "plan = 'pro' OR plan = 'team'": ("plan",),
    "plan IN ('pro', 'team')": ("plan",),
    "plan NOT IN ('pro')": ("plan",),
    "amount BETWEEN 1 AND 2": ("amount",),
    "NOT churned": ("churned",),
    "churned IS TRUE": ("churned",),
    "plan IS NOT NULL": ("plan",),
    "plan IS DISTINCT FROM other": ("plan", "other"),
    "lower(trim(plan)) LIKE 'p%' ESCAPE '!'": ("plan",),
    "regexp_matches(text, '^a+$')": ("text",),
    "text ~ 'a' AND text ILIKE '%b%'": ("text",),
    "customer.address.city = 'Köln'": ("customer.address.city",),
    '"weird column" > 1': ("weird column",),
    "CASE WHEN tier = 'a' THEN 1 WHEN tier = 'b' THEN 2 ELSE 0 END": ("tier",),
    "CASE tier WHEN 'a' THEN 1 END": ("tier",),
    "coalesce(seats, 0) * price": ("seats", "price"),
    "round(price * 1.19, 2)": ("price",),
    "price::DECIMAL(10, 2)": ("price",),
    "TRY_CAST(price AS DOUBLE) IS NULL": ("price",),
    "CAST(tags AS VARCHAR[])": ("tags",),
    "list_contains(labels, 'bug')": ("labels",),
    "len(labels) > 2 AND labels[1] = 'bug' AND labels[1:2] = ['a', 'b']": ("labels",),
    "list_sum(parts) > 3 OR list_aggregate(parts, 'max') > 1": ("parts",),
    "data->>'stage' = 'trial' AND (data->'$.seats')::INT > 2": ("data",),
    "json_extract_string(data, '$.a')": ("data",),
    "date_diff('day', started, ended) > 30": ("started", "ended"),
    "age(ended, started) > INTERVAL 3 DAYS": ("ended", "started"),
    "day >= DATE '2026-01-01' + INTERVAL 1 MONTH": ("day",),
    "extract(hour FROM time) < 8": ("time",),
    "time AT TIME ZONE 'Europe/Berlin' > TIMESTAMP '2026-01-01'": ("time",),
    "strftime(time, '%Y-%m')": ("time",),
    "(a, b) = (1, 2)": ("a", "b"),
    "if(a > 1, 'x', 'y')": ("a",),
    "greatest(a, b, 3)": ("a", "b"),
    "{'x': a}.x": ("a",),
    "md5(name)": ("name",),
    "name COLLATE NOCASE = 'a'": ("name",),
    "a -- why": ("a",),
    "/* why */ a": ("a",),
    "user = 'x'": ("user",),
    "-a % 2 = 0": ("a",),
    "true": (),
    "X'AB' = blob": ("blob",),
}


@pytest.mark.parametrize("text", ATTACKS, ids=lambda text: text[:60])
def test_a_hostile_expression_is_refused(text: str) -> None:
    """The error names the place it was given and a remedy."""
    with pytest.raises(InputError) as refused:
        check_expression(text, where="spec.yaml:3: fields.x.expr")
    assert refused.value.where.startswith("spec.yaml:3: fields.x.expr")
    assert refused.value.remedy


@pytest.mark.parametrize("text", HONEST)
def test_an_honest_expression_names_its_columns(text: str) -> None:
    """Columns come in order of appearance, nested ones as one path; the SQL checks again to the same."""
    expression = check_expression(text, where="w")
    assert expression.columns == HONEST[text]
    again = check_expression(expression.sql, where="w")
    assert (again.sql, again.columns) == (expression.sql, expression.columns)


@pytest.mark.parametrize(
    ("text", "numeric", "boolean"),
    [
        ("a > 3", "a", ""),
        ("3 < a", "a", ""),
        ("a = -1.5", "a", ""),
        ("a = 'x'", "", ""),
        ("a = 'x' AND b > 1", "b", ""),
        ("a IN (1, 2)", "a", ""),
        ("a BETWEEN b AND 3", "a b", ""),
        ("a > b", "", ""),
        ("a > b AND b > 1", "a b", ""),
        ("a + b = c", "a b c", ""),
        ("a / 2", "a", ""),
        ("-a", "a", ""),
        ("round(a) = sqrt(b)", "a b", ""),
        ("coalesce(a, 0) > b", "a b", ""),
        ("CASE WHEN a THEN b ELSE 0 END", "b", "a"),
        ("CASE a WHEN 1 THEN b END", "a", ""),
        ("if(a, b, 1)", "b", "a"),
        ("a AND NOT b", "", "a b"),
        ("a IS TRUE OR b IS NOT FALSE", "", "a b"),
        ("a = true", "", "a"),
        ("a::INT > 3", "", ""),
        ("length(a) > 3", "", ""),
        ("a IS NULL", "", ""),
        ("a LIKE '1%'", "", ""),
        ("time + INTERVAL 1 DAY > day", "", ""),
        ("time + INTERVAL (n) DAYS > day", "n", ""),
        ("s.x > 1", "s.x", ""),
        ("a->>'x' = 'y'", "", ""),
        ("a AND a > 1", "a", ""),
    ],
)
def test_the_use_of_columns_is_inferred(text: str, numeric: str, boolean: str) -> None:
    """Numbers and conditions are told from the operators, constants and functions around a column."""
    expression = check_expression(text, where="w")
    assert (expression.numeric, expression.boolean) == (set(numeric.split()), set(boolean.split()))


def test_a_bare_column_is_a_condition_where_the_whole_is_one() -> None:
    """`where: active` uses the column as true or false; `expr: active` does not say."""
    assert check_expression("active", where="w", condition=True).boolean == {"active"}
    assert check_expression("active", where="w").boolean == set()
    assert check_expression("a > 1", where="w", condition=True).boolean == set()


def test_columns_can_be_resolved_while_checking() -> None:
    """The callback's SQL stands in for the column, whose path is still reported."""
    expression = check_expression("a.b > current_date", where="w", columns=lambda path: f'"f_{path}"')
    assert expression.sql == '("f_a.b" > f_current_date)'
    assert expression.columns == ("a.b", "current_date")


def test_an_unknown_column_is_named_with_its_place() -> None:
    """Whatever the callback raises, the error carries the column of the text and a remedy."""

    def columns(path: str) -> str:
        if path == "b":
            raise InputError("no field b", remedy="the fields are a, c")
        return {"a": "x"}[path]

    with pytest.raises(InputError, match=r"no field b \(w, column 9\): the fields are a, c"):
        check_expression("a > 1 + b", where="w", columns=columns)
    with pytest.raises(InputError, match=r"there is no column z \(w, column 7\)"):
        check_expression("'é' = z", where="w", columns=columns)


def test_places_count_characters() -> None:
    """Lines are named where the text has several."""
    with pytest.raises(InputError) as refused:
        check_expression("a > 1\n  AND 'ü' = now()", where="w")
    assert refused.value.where == "w, line 2, column 13"


@pytest.mark.parametrize(
    ("text", "mapping", "expected"),
    [
        ("a > 1", {"a": "x + y"}, "((x + y) > 1)"),
        ("a * 2", {"a": "x + y"}, "((x + y) * 2)"),
        ("a = 'a' AND \"a b\" = 1", {"a": '"col a"', "a b": "z"}, "((\"col a\" = 'a') AND (z = 1))"),
        ("a.b.c = 1", {"a.b.c": "x"}, "(x = 1)"),
        ("a.b.c = 1", {"a": "t.s"}, "(((t.s).b).c = 1)"),
        ("a.b = 1", {"b": "x"}, "(a.b = 1)"),
        ("a > b", {"a": "b", "b": "a"}, "(b > a)"),
        ("a[1]", {"a": "data->'a'"}, "(\"data\" -> 'a')[1]"),
        ("NOT a", {"a": "x OR y"}, "(NOT (x OR y))"),
        ("{'a': a}.a", {"a": "x"}, "(struct_pack(a := x)).a"),
    ],
)
def test_columns_are_replaced_in_the_tree(text: str, mapping: dict[str, str], expected: str) -> None:
    """Only column references change: neither text constants, nor field names, nor what a replacement brings."""
    assert rename(check_expression(text, where="w"), mapping) == expected


_NAMES = st.sampled_from(["a", "b", "order", "x y", 'q"uote', "é", "A1", "select", "a.b", "user"])
_LEAVES = st.one_of(
    _NAMES.map(engine.identifier),
    st.integers(-(10**9), 10**9).map(lambda n: f"({n})"),
    st.text(max_size=5).filter(lambda t: "\0" not in t and t.isprintable()).map(engine.literal),
    st.sampled_from(["true", "NULL", "1.5", "DATE '2026-01-01'"]),
)


def _combine(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(pair, st.sampled_from(["AND", "OR", "=", "<>", "<", "+", "*", "||", "IS DISTINCT FROM", "LIKE"])).map(
            lambda t: f"({t[0][0]} {t[1]} {t[0][1]})"
        ),
        pair.map(lambda t: f"coalesce({t[0]}, {t[1]})"),
        pair.map(lambda t: f"CASE WHEN {t[0]} THEN {t[1]} END"),
        inner.map(lambda t: f"(NOT {t})"),
        inner.map(lambda t: f"CAST({t} AS VARCHAR)"),
        inner.map(lambda t: f"({t} IS NULL)"),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: f"({each[0]} IN ({', '.join(each)}))"),
        inner.map(lambda t: f"lower({t})"),
    )


EXPRESSIONS = st.recursive(_LEAVES, _combine, max_leaves=12)


@given(EXPRESSIONS)
def test_renaming_to_itself_changes_nothing(text: str) -> None:
    """SQL that was checked is a fixed point of check and of renaming each column to its own quoted name."""
    expression = check_expression(text, where="w")
    single = {name: engine.identifier(name) for name in expression.columns}
    assert rename(expression, single) == expression.sql
    assert check_expression(expression.sql, where="w") == expression


@given(EXPRESSIONS)
def test_renaming_there_and_back_is_the_identity(text: str) -> None:
    """A renamed expression has exactly the new columns, and renaming back restores it."""
    expression = check_expression(text, where="w")
    there = {name: f"renamed_{index}" for index, name in enumerate(expression.columns)}
    moved = check_expression(rename(expression, there), where="w")
    assert moved.columns == tuple(there.values())
    back = {new: engine.identifier(name) for name, new in there.items()}
    assert rename(moved, back) == expression.sql


@given(st.text(max_size=40))
def test_any_text_is_checked_or_refused(text: str) -> None:
    """Whatever is typed, the answer is an expression whose SQL parses, or an `InputError`."""
    try:
        expression = check_expression(text, where="w")
    except InputError:
        return
    syntax.parse_expression(expression.sql, "again")


def test_checked_expressions_run_on_rows() -> None:
    """A renamed expression gives the value that the written one would."""
    con = engine.connect(threads=1)
    con.execute("CREATE TABLE rows AS SELECT {'tickets': 4, 'plan': 'pro'}::JSON AS data")
    expression = check_expression("tickets >= 3 AND plan = 'pro'", where="w")
    fields = {
        name: f"json_extract_string(data, '$.{name}')" + ("::DOUBLE" if name in expression.numeric else "")
        for name in expression.columns
    }
    engine.lock(con)
    assert con.execute(f"SELECT {rename(expression, fields)} FROM rows").fetchall() == [(True,)]


def test_threads_can_check_at_the_same_time() -> None:
    """The guard's parser is shared and safe to share."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: check_expression(f"a > {n}", where="w").sql, range(200)))
    assert found == [f"(a > {n})" for n in range(200)]


def test_a_checked_expression_needs_no_connection_of_the_caller() -> None:
    """Checking leaves no trace: a caller's own database is untouched."""
    con = duckdb.connect(":memory:")
    check_expression("a", where="w")
    assert con.execute("SELECT current_setting('lock_configuration')").fetchone() == (False,)
