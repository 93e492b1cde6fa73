--
-- machine_text: what a diagram may say, and what it may not
--
-- idem.check_machine reads a diagram and tells what is wrong, a row each.
-- No row: it can be defined.

-- the whole subset at once
SELECT * FROM idem.check_machine($$
%% a comment may stand before the header
stateDiagram-v2
    direction LR
    state "Waiting for the buyer" as WAIT_BUYER_PAY
    state sending
    [*] --> WAIT_BUYER_PAY
    [*] --> imported
    WAIT_BUYER_PAY-->sending:::sent: submit
    sending --> lost:::unknown : answer_lost
    sending --> paid : answer.ok-2
    sending --> failed
    lost --> paid : query_ok
    lost --> failed : query_failed [role pg_monitor]
    imported --> paid : check [role pg_monitor]
    paid --> paid : partial_refund
    paid --> refunded : refund [late]
    paid --> failed : bank_return [late] [role pg_monitor]
    %% an indented comment with --> inside
    note right of paid : words with --> and [*]
    note left of lost
        stateDiagram-v2 [*] --> nowhere
        %% not even this is read
    end note
    paid --> [*]
    failed --> [*]
    refunded --> [*]
    sending:::sent
$$);

-- names are bytes: case matters, letters beyond ASCII and leading digits are
-- letters; what is a keyword of Mermaid is no name (first day 7: machine_mermaid)
SELECT * FROM idem.check_machine(
    E'stateDiagram-v2\r\n[*] --> état\r\nétat --> État : 付款\r\nÉtat --> 20\r\n20 --> stateful\r\nstateful --> notes:::sent\r\nnotes --> [*]\r\n');

-- the text "as s" is drawn, the name s is stored; a value that is no bare
-- name cannot be a state
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n[*] --> pre-auth\npre-auth --> [*]');
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n[*] --> "pre auth"');

-- 63 bytes are a name, 64 are not
SELECT * FROM idem.check_machine(format(E'stateDiagram-v2\n[*] --> %s\n%1$s --> [*]', repeat('s', 63)));
SELECT * FROM idem.check_machine(format(E'stateDiagram-v2\n[*] --> %s\n%1$s --> [*]', repeat('s', 64)));

-- What is outside the subset is refused as a whole, with its line.
CREATE FUNCTION pg_temp.read(line text) RETURNS text LANGUAGE sql
    RETURN (SELECT format('%s: %s', c.line, c.message) FROM idem.check_machine(
        E'stateDiagram-v2\n[*] --> a\na --> b : go\n' || line || E'\nb --> [*]') c
        WHERE c.problem = 'syntax');

\pset format unaligned
SELECT left(line, 40) AS line, pg_temp.read(line) FROM unnest(ARRAY[
    'state a {',
    '}',
    'state f <<fork>>',
    '--',
    'a',
    'a : words',
    'a -> b',
    'a --> b --> c',
    'a --> ',
    'a --> b : ',
    'a --> b : two words',
    'a --> b : go [if amount > 0]',
    'a --> b : go [late',
    'a --> b : go [latest]',
    'a --> b : go [role]',
    'a --> b : go [role x] [role y]',
    'a --> b : go %% comment',
    'a --> b ; c --> d',
    '[*] --> a : open',
    'b --> [*] : close',
    '[*] --> [*]',
    '[*]',
    '[H] --> a',
    'a:::green',
    'a:::sent --> b:::sent : x' || E'\n' || 'a:::unknown',
    'class a sent',
    'classDef sent fill:#f00',
    'direction up',
    'note over a : words',
    'note right of a',
    'state "words',
    'state "words" a',
    'state a b',
    'a --> b : go' || chr(1),
    repeat('x', 200) || ' --> b',
    'a --> b ' || repeat('付', 60),
    'a --> b : ' || repeat('e', 64),
    'a --> b : x [role pg_monitor',
    'state ' || repeat('s', 64),
    'note right a : words',
    'note right of ' || repeat('s', 64)
]) line;
\pset format aligned

-- the header comes first and is the only one
SELECT * FROM idem.check_machine('');
SELECT * FROM idem.check_machine(E'stateDiagram\n[*] --> a');
SELECT * FROM idem.check_machine(E'---\ntitle: payment\n---\nstateDiagram-v2');
SELECT * FROM idem.check_machine(E'stateDiagram-v2 LR\n[*] --> a');
SELECT * FROM idem.check_machine(E'flowchart TD\n a --> b');

-- sizes: 1,000 states, 20,000 edges, 1 MB
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n' ||
    (SELECT string_agg(format('[*] --> s%s%ss%1$s --> [*]', i, chr(10)), chr(10)) FROM generate_series(1, 1000) i));
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n' ||
    (SELECT string_agg(format('[*] --> s%s%ss%1$s --> [*]', i, chr(10)), chr(10)) FROM generate_series(1, 1001) i));
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n[*] --> a\na --> [*]\n' ||
    (SELECT string_agg(format('a --> a : e%s', i), chr(10)) FROM generate_series(1, 20000) i));
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n[*] --> a\na --> [*]\n' ||
    (SELECT string_agg(format('a --> a : e%s', i), chr(10)) FROM generate_series(1, 20001) i));
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n' || repeat('%', 1024 * 1024));

-- What can be read is then judged.  Each of these would hang a payment, run
-- it twice or leave it without a rule.
SELECT * FROM idem.check_machine(E'stateDiagram-v2\na --> b : go\nb --> [*]');
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n[*] --> a\na --> b : go');
SELECT * FROM idem.check_machine(E'stateDiagram-v2');
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n[*] --> a\na --> b : go\nb --> [*]\nc --> b : go');
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n[*] --> a\na --> b : go\nb --> [*]\nnote right of c : typo');
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n[*] --> a\na --> b : go\nb --> [*]\na --> c : x\nc --> d\nd --> c');
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n[*] --> a\na --> b : go\na --> c : go\nb --> [*]\nc --> [*]');
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n[*] --> a\na --> b : go\na --> b : go\nb --> [*]');
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n[*] --> a\na --> b\na --> b : go\nb --> [*]');
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n[*] --> a\na --> a\na --> b : go\nb --> [*]');
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n[*] --> a\na --> b : go\nb --> a : back\nb --> [*]');
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n[*] --> a\na --> s:::sent\ns --> u:::unknown\nu --> s : resend\ns --> [*]\nu --> [*]');

-- all of them at once, in the order of their lines
SELECT * FROM idem.check_machine($$stateDiagram-v2
    [*] --> a
    a --> b : go
    a --> c : go
    b --> a : back
    b --> [*]
    x --> b
$$);

-- Two kinds of edge do not disturb each other: the same event from two
-- states, two events to one state, a final state with a self-loop and with a
-- late exit, an entry that is final.
SELECT * FROM idem.check_machine($$stateDiagram-v2
    [*] --> a
    [*] --> c
    a --> b : go
    b --> c : go
    a --> c : cancel
    a --> c : expire
    c --> c : refund
    c --> b : reopen [late]
    c --> [*]
$$);
