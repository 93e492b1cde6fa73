-- A scope that asks for standbys, on a server that waits for none: nothing is sent,
-- and the doctor says why.  (Where a standby follows: test/tap/820_scale_move.pl
-- and test/tap/344_send_confirmed.pl)
SELECT idem.create_scope('standby', 'outside', '{}', standbys => 1);
SELECT idem.create_scope('alone', 'outside', '{}');
SELECT severity, object, finding, remedy FROM idem.doctor() WHERE object ~ '^scope (standby|alone)';
\set VERBOSITY sqlstate
SELECT idem.reserve('standby', 'k');
SELECT idem.alter_scope('standby', standbys => 0, force => 'there is none');
SELECT severity, object, finding, remedy FROM idem.doctor() WHERE object ~ '^scope (standby|alone)';
SELECT idem.drop_scope('standby'), idem.drop_scope('alone');

-- for how many a commit waits, as the server reads it
SELECT names, coalesce(substring(names, p.pattern)::integer, CASE WHEN names ~ '\S' THEN 1 ELSE 0 END) AS waits
FROM (SELECT substring(pg_get_viewdef('idem.standby_problems'), '\(\?i\).*\\\(') AS pattern) p,
     unnest('{"", " ",*,s1,"s1, s2","2 (a,b,c)","FIRST 2 (a, b)","ANY 3 (*)"," any 1(*)","first,second","\"2 (x)\"","12345678901 (a)"}'::text[]) names;
