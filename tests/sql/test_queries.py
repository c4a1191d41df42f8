"""Whole queries that users write: the hostile ones are refused, the honest ones pass and run."""

from __future__ import annotations

import duckdb
import pytest

from context_plane.errors import InputError
from context_plane.sql import engine
from context_plane.sql.guard import check_query

TABLES = ("events", "bundles")

ATTACKS = [
    # files, by function and by name
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_parquet('x.parquet')",
    "SELECT * FROM read_json_auto('x.json')",
    "SELECT * FROM parquet_scan('x.parquet')",
    "SELECT * FROM parquet_metadata('x.parquet')",
    "SELECT * FROM read_duckdb('x.duckdb')",
    "SELECT * FROM glob('/**')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM 'x.parquet'",
    'SELECT * FROM "x.csv"',
    "FROM '/etc/passwd'",
    "FROM 's3://bucket/x.parquet'",
    "FROM 'https://example.org/x.parquet'",
    "TABLE 'x.parquet'",
    "SELECT * FROM events JOIN 'x.parquet' USING (entity)",
    "SELECT * FROM events WHERE entity IN (FROM 'x.parquet')",
    "SELECT * FROM events, LATERAL (SELECT * FROM read_text(entity))",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "WITH a AS (WITH b AS (FROM 'x.parquet') FROM b) FROM a",
    "SELECT 1 UNION ALL SELECT content FROM read_text('/etc/passwd')",
    # tables that are not offered, and names that hide behind a CTE of the same name elsewhere
    "SELECT * FROM secrets",
    "SELECT * FROM main.events",
    "SELECT * FROM memory.main.events",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM pg_tables",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM duckdb_settings",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_functions()",
    "SELECT * FROM pragma_database_size()",
    "SELECT * FROM which_secret('s3://x', 's3')",
    "SELECT * FROM (WITH secrets AS (SELECT 1) FROM secrets), secrets",
    "WITH duckdb_tables AS (SELECT * FROM duckdb_tables) FROM duckdb_tables",
    "WITH a AS (FROM b), b AS (SELECT 1) FROM a",
    # functions that run or show SQL, settings, catalog, environment
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('secrets')",
    "SELECT * FROM query_table(['events'])",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT json_serialize_plan('FROM secrets')",
    "SELECT json_serialize_sql('SELECT 1')",
    "SELECT getenv('HOME')",
    "SELECT getvariable('x')",
    "SELECT current_setting('home_directory')",
    "SELECT current_database(), current_schema()",
    "SELECT current_query()",
    "SELECT pg_catalog.current_query()",
    "SELECT system.main.current_setting('threads')",
    "SELECT in_search_path('a', 'b')",
    "SELECT version()",
    "SELECT hash(entity) FROM events",
    "SELECT sql_auto_complete('SEL')",
    "SELECT * FROM sql_auto_complete('SEL')",
    "SELECT write_log('x')",
    "SELECT nextval('s')",
    "SELECT stats(entity) FROM events",
    "SELECT has_table_privilege('a', 'b')",
    "SELECT pg_get_viewdef(1)",
    "SELECT * FROM histogram('secrets', 'a')",
    "SELECT * FROM test_all_types()",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM seq_scan('secrets')",
    # the clock and chance, wherever an expression may stand
    "SELECT now()",
    "SELECT current_timestamp",
    "SELECT current_date",
    "SELECT localtime",
    "SELECT today()",
    "SELECT current_localtimestamp()",
    "SELECT age(TIMESTAMP '2020-01-01')",
    "SELECT ago(INTERVAL 1 DAY)",
    "SELECT random()",
    "SELECT uuid()",
    "SELECT gen_random_uuid()",
    "SELECT setseed(0.5)",
    "SELECT sleep_ms(1000)",
    "SELECT pg_sleep(1)",
    "SELECT error('stop')",
    "SELECT assert_true(false)",
    "SELECT * FROM events ORDER BY random()",
    "SELECT * FROM events LIMIT (random() * 10)::INT",
    "SELECT * FROM events OFFSET (SELECT random()::INT)",
    "SELECT * FROM events QUALIFY row_number() OVER (ORDER BY random()) = 1",
    "SELECT sum(random()) OVER () FROM events",
    "SELECT sum(n) FILTER (WHERE random() > 0.5) FROM events",
    "SELECT sum(n) OVER (PARTITION BY random()) FROM events",
    "SELECT string_agg(type ORDER BY random()) FROM events",
    "SELECT lag(n, (random() * 3)::INT) OVER (ORDER BY n) FROM events",
    "SELECT CASE WHEN true THEN getenv('HOME') END",
    "SELECT CAST(random() AS INT)",
    "SELECT TRY_CAST(now() AS VARCHAR)",
    "SELECT list_transform([1], lambda x: x + random())",
    "SELECT [getenv(x) FOR x IN ['HOME']]",
    "SELECT [x FOR x IN [1, 2] IF random() > 0.5]",
    "SELECT {'a': getenv('HOME')}",
    "SELECT MAP {'a': random()}",
    "SELECT struct_pack(a := now())",
    "SELECT entity.upper().getenv() FROM events",
    "SELECT n BETWEEN 0 AND random() FROM events",
    "SELECT * FROM events GROUP BY ALL HAVING random() > 0.5",
    "SELECT * FROM events GROUP BY GROUPING SETS ((random()))",
    "SELECT DISTINCT ON (random()) * FROM events",
    "VALUES (1, getenv('HOME'))",
    "SELECT * FROM (VALUES (random())) t(a)",
    "SELECT * REPLACE (random() AS n) FROM events",
    "SELECT COLUMNS(c -> getenv('HOME') = c) FROM events",
    "SELECT * FROM range((random() * 10)::INT)",
    "SELECT * FROM unnest([random()])",
    "SELECT list_aggregate([1, 2], 'reservoir_quantile', 0.5)",
    "SELECT list_aggregate([1, 2], type) FROM events",
    "SELECT reservoir_quantile(n, 0.5) FROM events",
    "SELECT * FROM events TABLESAMPLE 10%",
    "SELECT * FROM events USING SAMPLE 3",
    "SELECT * FROM (SELECT * FROM events USING SAMPLE 3 ROWS)",
    "SELECT * FROM events AT (VERSION => 1)",
    "WITH RECURSIVE r AS (SELECT random() AS n UNION ALL SELECT n FROM r WHERE n < 0) FROM r",
    "SELECT * FROM (PIVOT events ON type IN ('a') USING sum(random()))",
    "SELECT * FROM events ASOF JOIN bundles ON events.n >= bundles.n + random()",
    "SELECT 'a' COLLATE de",
    "SELECT CAST('x' AS secret_type)",
    "SELECT CAST('x' AS main.something)",
    # other statements
    "SET threads = 1",
    "RESET threads",
    "PRAGMA threads = 1",
    "CALL enable_logging()",
    "ATTACH 'x.duckdb'",
    "DETACH memory",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "COPY events TO 'x.csv'",
    "COPY (SELECT 1) TO 'x.parquet'",
    "EXPORT DATABASE '/tmp/x'",
    "IMPORT DATABASE '/tmp/x'",
    "CREATE TABLE x AS SELECT 1",
    "CREATE MACRO m() AS random()",
    "CREATE SECRET (TYPE s3)",
    "CREATE TYPE t AS ENUM ('a')",
    "DROP TABLE events",
    "DELETE FROM events",
    "INSERT INTO events VALUES (1)",
    "UPDATE events SET n = 1",
    "WITH a AS (INSERT INTO events VALUES (1) RETURNING *) SELECT * FROM a",
    "WITH a AS (DELETE FROM events RETURNING *) SELECT * FROM a",
    "EXPLAIN SELECT 1",
    "EXPLAIN ANALYZE SELECT 1",
    "DESCRIBE events",
    "DESCRIBE SELECT 1",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SUMMARIZE events",
    "SELECT * FROM (DESCRIBE events)",
    "SELECT * FROM (SHOW TABLES)",
    "SELECT * FROM (SUMMARIZE events)",
    "PIVOT events ON type USING sum(n)",
    "SELECT * FROM (PIVOT events ON type USING sum(n))",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "BEGIN TRANSACTION",
    "CHECKPOINT",
    "VACUUM",
    # more or less than one statement, parameters, nonsense
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE events",
    "SELECT 1 /* ; */ ; SET threads = 1",
    "SELECT $1",
    "SELECT ?",
    "SELECT $name",
    "SELECT * FROM events LIMIT ?",
    "",
    "   ",
    "-- nothing",
    ";",
    "SELECT",
    "SELEC 1",
    "SELECT * FROM",
    "SELECT 'a",
    "SELECT 1\0",
    "SELECT '\ud800'",
]

HONEST = [
    "SELECT 1",
    "SELECT 1;",
    "select * from events",
    "SELECT * FROM EVENTS",
    'SELECT "n" FROM "events"',
    "FROM events",
    "FROM events SELECT entity WHERE n > 1",
    "TABLE events",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT entity, count(*), sum(n), avg(n), max(time) FROM events GROUP BY entity ORDER BY 2 DESC, 1",
    "SELECT entity, count(DISTINCT type) FILTER (WHERE n > 1) FROM events GROUP BY ALL HAVING count(*) > 0",
    "SELECT type, string_agg(entity, ',' ORDER BY time DESC NULLS FIRST) FROM events GROUP BY type",
    "SELECT *, row_number() OVER (PARTITION BY entity ORDER BY time) AS k FROM events QUALIFY k = 1",
    "SELECT n - lag(n, 1, 0) OVER w FROM events WINDOW w AS (ORDER BY time ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
    "SELECT e.entity, b.fields FROM events e JOIN bundles b USING (entity)",
    "SELECT e.entity FROM events e LEFT JOIN bundles b ON e.entity = b.entity AND b.n >= e.n WHERE b.entity IS NULL",
    "SELECT entity FROM events SEMI JOIN bundles USING (entity)",
    "SELECT entity FROM events ANTI JOIN bundles USING (entity)",
    "SELECT events.n FROM events ASOF JOIN bundles ON events.entity = bundles.entity AND events.n >= bundles.n",
    "SELECT * FROM events CROSS JOIN bundles",
    "SELECT * FROM events NATURAL JOIN bundles",
    "SELECT * FROM events POSITIONAL JOIN bundles",
    "WITH a AS (SELECT entity FROM events), b AS MATERIALIZED (FROM a) SELECT * FROM b",
    "WITH a(x, y) AS (SELECT entity, n FROM events) SELECT x FROM a WHERE y > 1",
    "WITH events2 AS (FROM events) FROM events2, events",
    "WITH RECURSIVE r AS (SELECT 1 AS k UNION ALL SELECT k + 1 FROM r WHERE k < 5) SELECT max(k) FROM r",
    "SELECT * FROM (SELECT entity FROM events) AS inner_table",
    "SELECT (SELECT max(n) FROM events), EXISTS (SELECT 1 FROM bundles), n IN (SELECT n FROM bundles) FROM events",
    "SELECT n = ANY(SELECT n FROM bundles), n > ALL(SELECT 0) FROM events",
    "SELECT * FROM events, LATERAL (SELECT b.fields FROM bundles b WHERE b.entity = events.entity)",
    "SELECT entity, label FROM events, unnest(labels) AS t(label)",
    "SELECT unnest(labels) FROM events",
    "SELECT * FROM range(3)",
    "SELECT * FROM generate_series(1, 10, 2) g(x)",
    "SELECT key, value FROM events, json_each(data)",
    "SELECT data->>'stage', data->'$.seats', json_extract_string(data, '$.stage') FROM events",
    "SELECT CASE type WHEN 'a' THEN 1 WHEN 'b' THEN 2 ELSE 0 END FROM events",
    "SELECT CAST(n AS DECIMAL(10, 2)), n::VARCHAR, TRY_CAST(type AS INTEGER), time::DATE FROM events",
    "SELECT date_trunc('month', time), time + INTERVAL 3 DAYS, extract(year FROM time) FROM events",
    "SELECT strftime(time, '%Y') FROM events",
    "SELECT time AT TIME ZONE 'Europe/Berlin', age(time, TIMESTAMP '2020-01-01') FROM events",
    "SELECT list_transform(labels, lambda x: upper(x)), [x || '!' FOR x IN labels IF x <> ''] FROM events",
    "SELECT list_filter([1, 2, 3], lambda x, i: i > 1), list_reduce([1, 2], lambda a, b: a + b)",
    "SELECT list_sum([1, 2]), list_aggregate([1, 2], 'max'), array_to_string(['a'], ','), [1, 2][1:1]",
    "SELECT {'a': 1}.a, MAP {'k': 2}['k'], struct_pack(x := n) FROM events",
    "SELECT * EXCLUDE (labels) REPLACE (upper(type) AS type) FROM events",
    "SELECT COLUMNS('n|entity') FROM events",
    "SELECT max(COLUMNS(* EXCLUDE (labels))) FROM events",
    "SELECT COLUMNS(lambda c: c LIKE 'e%') FROM events",
    "SELECT entity FROM events UNION SELECT entity FROM bundles",
    "SELECT entity, n FROM events UNION ALL BY NAME SELECT n FROM bundles",
    "(SELECT n FROM events) EXCEPT (SELECT n FROM bundles) INTERSECT SELECT 1 ORDER BY ALL LIMIT 5 OFFSET 1",
    "SELECT DISTINCT ON (entity) entity, n FROM events ORDER BY entity, n",
    "SELECT type, entity, sum(n), grouping(type) FROM events GROUP BY ROLLUP (type, entity)",
    "SELECT type, sum(n) FROM events GROUP BY GROUPING SETS ((type), ())",
    "SELECT * FROM (PIVOT events ON type IN ('a', 'b') USING sum(n) GROUP BY entity)",
    "SELECT * FROM (UNPIVOT (SELECT 1 AS x, 2 AS y) ON x, y INTO NAME k VALUE v)",
    "SELECT type LIKE 'a%', type ILIKE 'A', type SIMILAR TO 'a.*', type GLOB 'a*', type ~ 'a', NOT n > 1 FROM events",
    "SELECT n IS NULL, n IS NOT NULL, n IS DISTINCT FROM 1, (n > 1) IS TRUE, n BETWEEN 1 AND 2 FROM events",
    "SELECT coalesce(n, 0), nullif(n, 1), if(n > 1, 'a', 'b'), greatest(n, 2), ifnull(n, 0) FROM events",
    "SELECT quantile_cont(n, 0.5), median(n), mode(type), arg_max(type, n), list(n), first(n) FROM events",
    "SELECT histogram(type) FROM events",
    "SELECT json_group_array(n), json_group_object(entity, n), geomean(n), wavg(n, n) FROM events",
    "SELECT regexp_extract(type, '(a)', 1), split_part(type, '.', 1), type[1], type COLLATE NOCASE FROM events",
    "SELECT entity.upper(), type.length() FROM events",
    "SELECT n AS m, m + 1 AS k FROM events WHERE m > 0 ORDER BY #1 LIMIT 50%",
    "SELECT 'FROM ''x.parquet''; SET threads = 1' AS innocent -- read_csv('x')",
    'SELECT "user" FROM (SELECT 1 AS user)',
    "SELECT md5(entity), sha256(type), 0x1F, 1e3, x'AB', $$a$$, E'\\n' FROM events",
]


@pytest.fixture(scope="module")
def view() -> duckdb.DuckDBPyConnection:
    """A locked database with two small tables, like a view of a tenant."""
    con = engine.connect(threads=1)
    con.execute(
        "CREATE TABLE events AS SELECT * FROM (VALUES "
        "('customer/a', TIMESTAMP '2026-03-01', 'a', 1, ['x'], '{\"stage\":\"trial\"}'), "
        "('customer/b', TIMESTAMP '2026-03-02', 'b', 2, ['x', 'y'], '{\"seats\":3}')) "
        "t(entity, time, type, n, labels, data)"
    )
    con.execute("CREATE TABLE bundles AS SELECT 'customer/a' AS entity, 1 AS n, '{}' AS fields")
    con.execute("CREATE TABLE secrets AS SELECT 42 AS a")
    engine.lock(con)
    return con


@pytest.mark.parametrize("text", ATTACKS)
def test_a_hostile_query_is_refused(text: str) -> None:
    """The error names the place it was given and a remedy."""
    with pytest.raises(InputError) as refused:
        check_query(text, where="the query", tables=TABLES)
    assert refused.value.where.startswith("the query")
    assert refused.value.remedy


@pytest.mark.parametrize("text", HONEST)
def test_an_honest_query_passes_and_runs(text: str, view: duckdb.DuckDBPyConnection) -> None:
    """What the guard lets through runs on a locked database."""
    query = check_query(text, where="the query", tables=TABLES)
    view.execute(query.sql).fetchall()


def test_the_tables_read_are_reported() -> None:
    """Tables in subqueries and CTEs count; CTE names do not, and the offered spelling is used."""
    sql = "WITH a AS (SELECT * FROM Events) SELECT * FROM a WHERE n IN (SELECT n FROM bundles)"
    assert check_query(sql, where="q", tables=TABLES).tables_used == {"events", "bundles"}
    assert check_query("WITH bundles AS (SELECT 1) FROM bundles", where="q", tables=TABLES).tables_used == set()
    assert check_query("SELECT 1", where="q", tables=TABLES).tables_used == set()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("SELECT getenv('HOME')", "q, column 8"),
        ("SELECT 'é😀', getenv('HOME')", "q, column 14"),
        ("SELECT 1,\n  random()", "q, line 2, column 3"),
        ("SELECT * FROM secrets", "q, column 15"),
        ("SELECT\n*\nFROM read_csv('x')", "q, line 3, column 6"),
        ("SELECT 1 +", "q, column 10"),
    ],
)
def test_an_error_names_line_and_column(text: str, place: str) -> None:
    """Columns count characters, not bytes; lines are named where there are several."""
    with pytest.raises(InputError) as refused:
        check_query(text, where="q", tables=TABLES)
    assert refused.value.where == place


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
        "SELECT " + "NOT " * 5_000 + "true",
        "SELECT " + "+".join(["1"] * 5_000),
        "SELECT * FROM " + "(SELECT * FROM " * 400 + "events" + ")" * 400,
        "FROM " + " JOIN ".join(f"events e{i}" for i in range(2_000)),
        "SELECT " + "[" * 500 + "]" * 500,
        "SELECT '" + "x" * 200_000 + "'",
    ],
    ids=["parentheses", "not", "sum", "subqueries", "joins", "lists", "length"],
)
def test_an_oversized_query_is_an_input_error(text: str) -> None:
    """Depth and length end in an error with a remedy, never in a crash."""
    with pytest.raises(InputError):
        check_query(text, where="q", tables=TABLES)
