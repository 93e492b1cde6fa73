--
-- codes_text: a table of return codes is read as GitHub draws it, or not at all
--
\set VERBOSITY terse
-- what is wrong with a table, each line of it given
CREATE FUNCTION pg_temp.wrong(VARIADIC lines text[]) RETURNS TABLE (at text, problem text, message text) AS $$
    SELECT concat_ws(':', line, column_number), problem, message
    FROM idem.check_return_codes(array_to_string($1, E'\n'))
$$ LANGUAGE sql;
-- what one row is read as
CREATE FUNCTION pg_temp.row(line text) RETURNS TABLE (at text, problem text, message text) AS $$
    SELECT * FROM pg_temp.wrong('| code | meaning | note |', '|---|---|---|', $1)
$$ LANGUAGE sql;
-- psql's versions differ in the width of characters that are not seen
CREATE FUNCTION pg_temp.seen(t text) RETURNS text AS $$
    SELECT left(CASE WHEN t ~ '[\u00A0\u00AD\u0301\u200B\u3000\uFE0F]' THEN encode(convert_to(t, 'UTF8'), 'escape') ELSE t END, 40)
$$ LANGUAGE sql;

-- ------------------------------------------------------------- what is a table
SELECT * FROM pg_temp.wrong('| code | meaning |', '| ---- | ------- |', '| 0000 | succeeded |');
-- pipes at the edges may be missing, columns stand in any order, headings in any
-- case, hyphens bear colons, lines are indented, empty lines stand around it
SELECT * FROM pg_temp.wrong('', 'Meaning | note | CODE', ':-- | :-: | --:', 'succeeded | paid | 0000', 'failed | | 0001', '  ', '');
SELECT * FROM pg_temp.wrong('    | code | meaning |', '    |---|---|', E'\t| 0000 | succeeded |\r', '');
SELECT * FROM pg_temp.wrong(E'\uFEFF| code | meaning |', '|---|---|', '| 0000 | succeeded |');
-- ... all alike: a line that is four columns deeper is code
SELECT * FROM pg_temp.wrong('   | code | meaning |', '|---|---|', '  0000 | succeeded |');
SELECT * FROM pg_temp.wrong('| code | meaning |', '|---|---|', '    | 0000 | succeeded |');
SELECT * FROM pg_temp.wrong(E'\t| code | meaning |', E'\t|---|---|', '| 0000 | succeeded |');
SELECT * FROM pg_temp.wrong('   | code | meaning |', '   |---|---|', '    0000 | succeeded |');
-- a table, and nothing else
SELECT * FROM pg_temp.wrong('');
SELECT * FROM pg_temp.wrong('', 'Our bank', '| code | meaning |');
SELECT * FROM pg_temp.wrong('| code | meaning |');
SELECT * FROM pg_temp.wrong('| code | meaning |', '');
SELECT * FROM pg_temp.wrong('| code | meaning |', '| 0000 | succeeded |');
SELECT * FROM pg_temp.wrong('| code | meaning |', '|---|', '| 0000 | succeeded |');
SELECT * FROM pg_temp.wrong('| code | meaning |', '|---|:|', '| 0000 | succeeded |');
SELECT * FROM pg_temp.wrong('| code | meaning |', '|---|---|');
SELECT * FROM pg_temp.wrong('| code | meaning |', '|---|---|', '| 0000 | succeeded |', '', '| 0001 | failed |');
SELECT * FROM pg_temp.wrong('| code | meaning |', '|---|---|', '| 0000 | succeeded |', 'That is all.');
-- the headings that are read
SELECT * FROM pg_temp.wrong('| code | means |', '|---|---|', '| 0000 | succeeded |');
SELECT * FROM pg_temp.wrong('| codes | meaning |', '|---|---|', '| 0000 | succeeded |');
SELECT * FROM pg_temp.wrong('| code | meaning | Code |', '|---|---|---|', '| 0000 | succeeded | 1 |');
SELECT * FROM pg_temp.wrong(E'| code\u00A0 | meaning |', '|---|---|', '| 0000 | succeeded |');
SELECT * FROM pg_temp.wrong('|' || repeat(' n |', 63) || ' code | meaning |');

-- -------------------------------------------------------------------- its rows
SELECT * FROM pg_temp.row('| 0000 | succeeded | |');
-- as many cells as headings: GitHub would fill up, or cut
SELECT * FROM pg_temp.row('| 0000 | succeeded |');
SELECT * FROM pg_temp.row('| 0000 | succeeded | a | b |');
SELECT * FROM pg_temp.row('0000');
-- an escaped pipe parts nothing, wherever it stands; what is not read may hold
-- anything else that is drawn
SELECT * FROM pg_temp.row('| 00\|01/* | failed [all: a\|b] | a \| **b** `c \| d` <br> 中文 |');
SELECT * FROM pg_temp.row('| `00\|01` | failed | x |');
SELECT * FROM pg_temp.row('| `00|01` | failed | x |');
SELECT * FROM pg_temp.row('| 00 | failed | a \\| b |');
SELECT * FROM pg_temp.row(E'| 00 | failed | a \u202Eb |');
SELECT * FROM pg_temp.row(E'| 00 | failed | a \u2066b |');
SELECT * FROM pg_temp.row(E'| 00 | failed | a\x07 |');
SELECT * FROM pg_temp.row(E'| 00 \r| failed | a |');
-- without a pipe in front a line may be something else
SELECT * FROM pg_temp.row('`00` | failed | a');
SELECT * FROM pg_temp.row('中 | failed | a');
SELECT * FROM pg_temp.row('- | failed | a');
SELECT * FROM pg_temp.row('# | failed | a');
SELECT * FROM pg_temp.row('> | failed | a');
SELECT * FROM pg_temp.row('1. | failed | a');
SELECT * FROM pg_temp.row('``` | failed | a');
SELECT * FROM pg_temp.row('<b> | failed | a');

-- ------------------------------------------------------------------- its codes
-- read as they are drawn
SELECT pg_temp.seen(code) AS code, listed, ok
FROM (VALUES ('0000'), ('10000/TRADE_SUCCESS'), ('isp.unknow-error'), ('ACQ.SYSTEM_ERROR'), ('E:17'), ('+1=2,3'),
             ('not sufficient funds'), ('余额不足'), ('RJCT/AC04/x'), ('`$x_*y`'), ('`a b`'), ('`&amp;`'), ('`\`'),
             ('_a'), ('a_'), ('a__b'), ('a:b:c'), ('a*b'), ('*'), ('a/*/b'), ('a/*'), ('`a/*`'), ('a/b*'), ('a/**'),
             ('a//b'), ('/a'), ('a/'), ('/'), ('a /b'), ('a/ b'), ('a  b'), ('` a`'), ('`a `'), ('``'), ('`'), ('`a'),
             ('a`'), ('``a``'), ('`a`b`'), ('&amp;'), ('<b>'), ('[a]'), ('a\b'), ('~a~'), ('$a$'), ('"a"'), ('(a)'), ('@a'),
             (''), (repeat('x', 255)), (repeat('x', 256)), (E'a\tb'), (E'a\u00A0b'), (E'a\u200B'), (E'\u3000a'), (E'a\u00AD'),
             (E'a\uFE0F'), (E'a\u0301')) AS c (code),
     LATERAL (SELECT string_agg(concat_ws(' ', at, message), '; ') AS listed, count(*) = 0 AS ok
              FROM pg_temp.row(format('| %s | failed%s | |', code, CASE WHEN code ~ '[*]`?$' THEN ' [all: x]' END))) r;

-- ---------------------------------------------------------------- its meanings
SELECT pg_temp.seen(meaning) AS meaning, wrong
FROM (VALUES ('succeeded'), ('failed'), ('absent'), ('returned'), ('unknown'), ('Succeeded'), ('success'), ('成功'), ('`failed`'), (''),
             ('**failed**'), ('failed, certainly'), ('succeeded [also: the code of the file]'), ('succeeded[also:x]'),
             ('succeeded [also: ]'), ('succeeded [also x]'), ('succeeded [also: x] y'), ('succeeded [also: x'),
             ('succeeded [also: a [b] c]'), ('succeeded [because: x]'), ('failed [also: x]'), ('failed [all: x]'),
             (E'failed\u00A0'), (E'succeeded [also: \u200B]'), (repeat('x', 61)), (repeat('中', 21))) AS m (meaning),
     LATERAL (SELECT string_agg(concat_ws(' ', at, problem, message), '; ') AS wrong
              FROM pg_temp.row(format('| 00 | %s | |', meaning))) r;

-- --------------------------------------------------------- what a table refuses
-- a code twice, a second success without a word, a star that means anything else
-- than failed, or does not say why: all of them are told
SELECT * FROM pg_temp.wrong('| code | meaning |', '|---|---|', '| 00 | succeeded |', '| 00 | failed |', '| `00` | unknown |',
    '| 01 | succeeded |', '| 02 | succeeded [also: x] |', '| R/* | unknown |', '| S/* | failed |', '| T/* | succeeded [also: x] |',
    '| U/* | returned [all: x] |', '| V/* | failed [all: x] |', '| V/1 | failed [all: x] |', '| W | maybe |', '| X | maybe [also: x] |');
-- a success may always say why
SELECT * FROM pg_temp.wrong('| code | meaning |', '|---|---|', '| 00 | succeeded [also: x] |', '| 01 | succeeded [also: y] |', '| 02 | succeeded |');

-- ------------------------------------------------------------------ how much
SELECT count(*) FROM idem.check_return_codes(E'|code|meaning|\n|---|---|\n' || (SELECT string_agg(format('|%s|failed|', n), E'\n') FROM generate_series(1, 10000) n));
SELECT * FROM idem.check_return_codes(E'|code|meaning|\n|---|---|\n' || (SELECT string_agg(format('|%s|failed|', n), E'\n') FROM generate_series(1, 10001) n));
SELECT * FROM idem.check_return_codes(repeat(' ', 1024 * 1024 + 1));
