--
-- codes: what the codes of a provider mean is written down, versioned, and
-- judged by the version in force; what is not listed is unknown
--
CREATE ROLE regress_idem_maker;
CREATE ROLE regress_idem_other;
SELECT FROM idem.grant_admin('regress_idem_maker');
REVOKE SELECT ON ALL TABLES IN SCHEMA idem FROM regress_idem_maker;

-- ------------------------------------------------------------- first version
-- names are given by admins; what is wrong with a table is told to everybody
SET ROLE regress_idem_other;
SELECT idem.define_return_codes('codes/pay', E'|code|meaning|\n|---|---|\n|0000|succeeded|');
SELECT * FROM idem.check_return_codes(E'|code|meaning|\n|---|---|\n|0000|fine|');
SET ROLE regress_idem_maker;
SELECT * FROM idem.define_return_codes('codes/pay', $$
| code                | meaning                          | note                      |
| ------------------- | -------------------------------- | ------------------------- |
| 0000                | succeeded                        |                           |
| 10000/TRADE_SUCCESS | succeeded [also: the new answer] | with trade_status         |
| 2001                | failed                           | balance, certain          |
| 9999                | unknown                          | system error: inquire     |
| RJCT/*              | failed [all: final, rulebook 4]  | but not this one:         |
| RJCT/MS03           | unknown                          | "reason not specified"    |
| R01                 | returned                         | came back                 |
| 4040                | absent                           | no such transaction       |
$$);
-- the same text again is no new version
SELECT * FROM idem.define_return_codes('codes/pay', idem.return_codes('codes/pay'));
SELECT idem.return_codes('codes/pay', 1);
SELECT idem.return_codes('codes/pay', 2);
SELECT idem.return_codes('no/such');
SELECT * FROM idem.listed_codes('codes/pay');
SELECT * FROM idem.listed_codes('no/such');

-- -------------------------------------------------------------------- meanings
SELECT left(code::text, 30) AS code, m.*
FROM (VALUES (1, '{0000}'::text[]), (2, '{10000,TRADE_SUCCESS}'), (3, '{2001}'), (4, '{9999}'), (5, '{R01}'), (6, '{4040}'),
             -- exact wins over the star, which is one layer, and not none
             (7, '{RJCT,AC04}'), (8, '{RJCT,MS03}'), (9, '{RJCT}'), (10, '{RJCT,AC04,x}'), (11, '{PDNG,AC04}'),
             -- nothing is guessed: not part of a path, not another case, no trimming
             (12, '{10000}'), (13, '{TRADE_SUCCESS}'), (14, '{10000,trade_success}'), (15, '{0}'), (16, '{" 0000"}'), (17, '{"0000 "}'),
             (18, '{0000,0000}'), (19, '{7777}'),
             -- what is no code
             (20, '{}'), (21, NULL), (22, '{NULL}'), (23, '{""}'), (24, '{0000,NULL}'), (25, '{RJCT,""}'), (26, '{"",0000}'),
             -- a slash or a star of the answer is none of the table's
             (27, '{10000/TRADE_SUCCESS}'), (28, '{RJCT,*}'), (29, '{RJCT,a*}'), (30, '{RJCT/AC04}'), (31, '{{RJCT},{AC04}}'),
             (32, ARRAY['RJCT', repeat('x', 250)]), (33, ARRAY['RJCT', repeat('x', 251)]), (34, ARRAY['RJCT', repeat('x', 10000)]),
             (35, array_fill('x'::text, '{1000}'))) AS c (n, code),
     LATERAL (SELECT * FROM idem.meaning_of('codes/pay', code)) m
ORDER BY n;
SELECT * FROM idem.meaning_of('no/such', '{0000}');
SELECT * FROM idem.meaning_of(repeat('x', 64), '{0000}');
SELECT * FROM idem.meaning_of(NULL, '{0000}');
SELECT * FROM idem.meaning_of('', '{0000}');
-- one name is one interface: the same code means what its table says
SELECT * FROM idem.define_return_codes('codes/query', E'|code|meaning|\n|---|---|\n|0000|unknown|');
SELECT * FROM idem.meaning_of('codes/query', '{0000}');
SELECT * FROM idem.meaning_of('codes/pay', '{0000}');

-- ------------------------------------------------------------ next versions
-- Any change of a meaning but to unknown loosens, and needs a reason.
SELECT idem.define_return_codes('codes/query', E'|code|meaning|\n|---|---|\n|0000|succeeded|\n|1|failed|\n|2|unknown|');
SELECT idem.define_return_codes('codes/query', E'|code|meaning|\n|---|---|\n|0000|succeeded|', loosen => ' ');
SELECT * FROM idem.meaning_of('codes/query', '{0000}');
SELECT * FROM idem.define_return_codes('codes/query', E'|code|meaning|\n|---|---|\n|0000|succeeded|\n|1|failed|\n|2|unknown|',
    loosen => 'their manual of May');
SELECT * FROM idem.meaning_of('codes/query', '{0000}');
-- to unknown needs none, and may have one
SELECT * FROM idem.define_return_codes('codes/query', E'|code|meaning|\n|---|---|\n|0000|succeeded|\n|1|unknown|\n|3|unknown|');
SELECT * FROM idem.define_return_codes('codes/query', E'|code|meaning|\n|---|---|\n|0000|unknown|', tighten => 'paid twice in June');
-- a star: what it covers, what it covered, and what it covers no longer
SELECT * FROM idem.define_return_codes('codes/query', E'|code|meaning|\n|---|---|\n|R/1|unknown|\n|R/2|failed|\n|R/*|failed [all: final]|', loosen => 'x');
SELECT * FROM idem.define_return_codes('codes/query', E'|code|meaning|\n|---|---|\n|R/*|failed [all: final]|', loosen => 'x');
SELECT * FROM idem.define_return_codes('codes/query', E'|code|meaning|\n|---|---|\n|R/2|failed|\n|R/3|unknown|', loosen => 'x');
-- between two certain meanings
SELECT idem.define_return_codes('codes/query', E'|code|meaning|\n|---|---|\n|R/2|succeeded|\n|R/3|unknown|');
SELECT * FROM idem.define_return_codes('codes/query', E'|code|meaning|\n|---|---|\n|R/2|returned|\n|R/3|absent|', loosen => 'x');
-- words only
SELECT * FROM idem.define_return_codes('codes/query', E'|meaning|code|by|\n|---|---|---|\n|absent|R/3|me|\n|returned|`R/2`|me|');

-- what cannot be kept is refused with all that is wrong with it
\set VERBOSITY sqlstate
SELECT idem.define_return_codes('codes/bad', '|code|meaning|');
\set VERBOSITY default
SELECT idem.define_return_codes('codes/bad', '|code|meaning|');
SELECT idem.define_return_codes('codes/bad', E'|code|meaning|\n|---|---|\n|0000|`x`|');
SELECT idem.define_return_codes('codes/bad', E'|code|meaning|\n|---|---|\n|0000|succeeded|\n|0000|paid|\n|1|succeeded|');
SELECT idem.define_return_codes('codes/bad', E'|code|meaning|\n|---|---|');
SELECT idem.return_codes('codes/bad');
-- a name is like a code: layers, no blanks
SELECT idem.define_return_codes(n, E'|code|meaning|\n|---|---|\n|0|failed|')
FROM unnest('{no blanks}'::text[]) n;
SELECT idem.define_return_codes('a//b', E'|code|meaning|\n|---|---|\n|0|failed|');
SELECT idem.define_return_codes('a/*', E'|code|meaning|\n|---|---|\n|0|failed|');
SELECT idem.define_return_codes(E'a\u00A0b', E'|code|meaning|\n|---|---|\n|0|failed|');
SELECT idem.define_return_codes(repeat('x', 64), E'|code|meaning|\n|---|---|\n|0|failed|');
SELECT idem.define_return_codes('', 'x');
SELECT idem.define_return_codes(NULL, 'x');
SELECT idem.define_return_codes('codes/bad', NULL);
SELECT idem.define_return_codes('中国银行/支付', E'|code|meaning|\n|---|---|\n|成功|succeeded|');
SELECT * FROM idem.meaning_of('中国银行/支付', '{成功}');

-- ------------------------------------------------------------ whose they are
SET ROLE regress_idem_other;
SELECT idem.define_return_codes('codes/pay', E'|code|meaning|\n|---|---|\n|0000|failed|', loosen => 'mine');
-- ... who may see them, and ask
SELECT * FROM idem.define_return_codes('codes/pay', idem.return_codes('codes/pay'));
SELECT * FROM idem.meaning_of('codes/pay', '{2001}');
-- nobody writes them past the function
INSERT INTO idem.return_code_table (name, version, codes, owner) VALUES ('x', 1, 'x', 'x');
UPDATE idem.return_code_table SET codes = 'x';
SELECT * FROM idem.return_code_table;
RESET ROLE;
GRANT regress_idem_maker TO regress_idem_other;
SET ROLE regress_idem_other;
SELECT * FROM idem.define_return_codes('codes/pay', E'|code|meaning|\n|---|---|\n|0000|succeeded|');
RESET ROLE;
SELECT version, owner, defined_by = session_user AS by_me, loosen, tighten FROM idem.return_code_table WHERE name = 'codes/query' ORDER BY version;
SELECT action, kind, name, arguments, reason FROM idem.change_log WHERE name LIKE 'codes/%' ORDER BY n;

-- --------------------------------------------------------------- past all of us
-- a superuser can write what cannot be read: said, and nothing is judged by it
UPDATE idem.return_code_table SET codes = '|code|meaning|' WHERE name = 'codes/query';
SELECT * FROM idem.meaning_of('codes/query', '{0000}');
SELECT * FROM idem.meaning_of('codes/query', '{0000}');
UPDATE idem.return_code_table SET codes = E'|code|meaning|\n|---|---|\n|0000|paid|' WHERE name = 'codes/query';
SELECT * FROM idem.meaning_of('codes/query', '{0000}');
SELECT idem.define_return_codes('codes/query', E'|code|meaning|\n|---|---|\n|0000|succeeded|', loosen => 'x');
SELECT severity, object, finding, remedy FROM idem.doctor() WHERE object LIKE 'return code table%';
UPDATE idem.return_code_table SET codes = E'|code|meaning|\n|---|---|\n|0000|succeeded|' WHERE name = 'codes/query';
SELECT * FROM idem.meaning_of('codes/query', '{0000}');

-- ------------------------------------------------------------- transactions
BEGIN;
SELECT * FROM idem.define_return_codes('codes/query', E'|code|meaning|\n|---|---|\n|0000|unknown|');
SELECT * FROM idem.meaning_of('codes/query', '{0000}');
ROLLBACK;
SELECT * FROM idem.meaning_of('codes/query', '{0000}');
BEGIN READ ONLY;
SELECT * FROM idem.meaning_of('codes/query', '{0000}');
SELECT idem.define_return_codes('codes/query', E'|code|meaning|\n|---|---|\n|0000|unknown|');
ROLLBACK;

-- A star stands for layers that a table could list: no blank, and nothing unseen, makes "unknown" a failure.
SELECT count(*) FROM idem.define_return_codes('codes/star', E'|code|meaning|\n|---|---|\n|OK|succeeded|\n|RJCT/*|failed [all: final]|\n|RJCT/MS03|unknown|');
SELECT pg_catalog.quote_literal(encode(convert_to(c, 'UTF8'), 'escape')) AS reason, m.meaning, m.listed
FROM unnest(ARRAY['AC04', 'MS03', 'MS03 ', ' MS03', E'MS03\n', E'MS03\x01', E'MS03\x7f', U&'MS03\200B', U&'\202EMS03', U&'MS03\00A0']) WITH ORDINALITY u (c, n)
CROSS JOIN LATERAL idem.meaning_of('codes/star', ARRAY['RJCT', c]) m ORDER BY n;

DROP OWNED BY regress_idem_maker, regress_idem_other;
DROP ROLE regress_idem_maker, regress_idem_other;
