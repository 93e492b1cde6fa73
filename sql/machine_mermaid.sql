--
-- machine_mermaid: what is accepted is what Mermaid draws (first day 7)
--
-- test/mermaid/verdicts holds what Mermaid itself, in a pinned version, made of
-- 1,154 diagrams: "drawn" if it draws what their arrows say, "otherwise" if it
-- draws something else, "refused" if it cannot read them.  Among them are the
-- twenty of test/machines, some hundred that were written for one oddity each,
-- and random ones; how they are made stands in test/mermaid/verdicts.mjs.
--
SET client_min_messages = warning;
\set lines `cat "$PG_ABS_SRCDIR"/test/mermaid/verdicts`
CREATE TEMP TABLE diagram AS
    SELECT n, split_part(line, E'\t', 1) AS verdict, split_part(line, E'\t', 2) AS kind,
           split_part(line, E'\t', 3)::jsonb #>> '{}' AS text, split_part(line, E'\t', 3) AS shown
    FROM regexp_split_to_table(:'lines', E'\n') WITH ORDINALITY l (line, n) WHERE line <> '';
ALTER TABLE diagram ADD COLUMN refusal text;
UPDATE diagram SET refusal = (SELECT line || ': ' || message FROM idem.check_machine(text) WHERE problem = 'syntax');

-- Whatever we accept Mermaid draws, as it says.
SELECT verdict, kind, shown FROM diagram WHERE verdict <> 'drawn' AND refusal IS NULL ORDER BY n;
-- Of what is made of the documented subset we refuse nothing.
SELECT kind, shown, refusal FROM diagram WHERE kind IN ('machine', 'plain') AND refusal IS NOT NULL ORDER BY n;
SELECT kind, verdict, count(*), count(*) FILTER (WHERE refusal IS NULL) AS accepted
    FROM diagram GROUP BY kind, verdict ORDER BY kind, verdict;

-- What we say, each once
SELECT verdict, shown, refusal FROM (
    SELECT DISTINCT ON (verdict, regexp_replace(refusal, '^\d+|state ".*?"|near .*', '', 'g')) *
    FROM diagram WHERE kind = 'odd' AND refusal IS NOT NULL AND shown !~ '[^ -~]' AND shown !~ '\\u'
    ORDER BY verdict, regexp_replace(refusal, '^\d+|state ".*?"|near .*', '', 'g'), n) d ORDER BY n;

-- a byte order mark belongs in front; one that stands inside is not seen
SELECT count(*) FROM idem.check_machine(E'\uFEFFstateDiagram-v2\n[*] --> a\na --> [*]');
-- (how wide psql takes what is not seen differs between versions)
SELECT line, problem, replace(message, U&'\FEFF', '') AS message FROM idem.check_machine(E'stateDiagram-v2\n\uFEFF[*] --> a\na --> [*]');
