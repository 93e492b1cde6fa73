# Two persons: nobody loosens or overrules alone.
#
# Proves, with logins that the server checks (SCRAM): each call that loosens or
# overrules is refused and names a digest; the one who makes it cannot approve
# it, also as a superuser under another role; another person can, and then that
# very call passes, once, within a day, and no other: not with other arguments,
# not when the object has changed meanwhile. A call that is rolled back has used
# nothing. In an emergency one person goes on alone, and the doctor says so until
# another has looked. Who was not authenticated is nobody.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
my $site = PostgreSQL::Test::Utils::tempdir() . '/site.conf';
append_to_file($site, "idem.site = 'here'\n");
$node->append_conf('postgresql.conf', "include '$site'");
$node->start;

sub ask { return $node->safe_psql('postgres', $_[0]); }

ask(q{
	CREATE EXTENSION idem;
	CREATE ROLE alice LOGIN SUPERUSER PASSWORD 'secret';
	CREATE ROLE bob LOGIN PASSWORD 'secret';
	CREATE ROLE carl LOGIN PASSWORD 'secret';
	SELECT idem.grant_operator('bob');
	SELECT idem.grant_operator('carl');
	CREATE TABLE payment (id int PRIMARY KEY, status text NOT NULL);
	SELECT idem.create_scope('debit', effect => 'inside', fields => '{a,b,c}');
	SELECT idem.create_scope('old', effect => 'inside', fields => '{}');
	SELECT idem.create_scope('payout', effect => 'outside', fields => '{}');
	SELECT idem.claim('old', 'k');
	SELECT FROM idem.define_machine('payment', 'stateDiagram-v2
		[*] --> created
		created --> paid
		paid --> [*]');
	SELECT idem.guard_states('payment', 'status', 'payment');
	SELECT idem.define_return_codes('bank', E'| code | meaning |\n| --- | --- |\n| 0 | succeeded |');
	SELECT FROM idem.reserve('payout', 'po-1');
	SELECT idem.create_scope('twice', 'inside', '{}', duplicate_fields => '{a}', duplicate_window => '1 day', on_duplicate => 'hold');
	SELECT idem.claim('twice', k, '{"a":1}') FROM unnest('{t1,t2,t3,t4}'::text[]) k;
	SELECT idem.set_site('here');
});
ask(q{CALL idem.dispatch('payout', 'po-1', 1, NULL)});
ask(q{SELECT idem.complete('payout', 'po-1', 1, 'failed', '{"bank":"no"}')});

# From here on the server asks for a password, but of whoever began it.
my $me = ask('SELECT current_user');
my $hba = $node->data_dir . '/pg_hba.conf';
open(my $file, '>', $hba) or die;
print $file "local all $me trust\nlocal all all scram-sha-256\nhost all $me all trust\nhost all all all scram-sha-256\n";
close($file);
$node->reload;
$ENV{PGPASSWORD} = 'secret';

# What a person is answered: '' or the SQLSTATE; and the HINT.
my ($out, $hint);
sub as
{
	my ($person, $sql) = @_;
	my ($rc, $err);
	($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql",
		connstr => $node->connstr('postgres') . " user=$person");
	$hint = $err =~ /^HINT:  (.*)$/m ? $1 : '';
	return $err =~ /^psql:.*ERROR:  (\w{5}):/m ? $1 : '';
}
# The statement that the last HINT names, with a reason.
sub approval
{
	my ($more) = @_;
	$hint =~ /(SELECT idem\.approve\(.*?, reason => )'\.\.\.'/ or die "no approval in: $hint";
	return "$1'I looked'" . ($more // '') . ')';
}
sub findings { return ask(q{SELECT count(*) FROM idem.doctor() WHERE finding ~ 'in an emergency'}); }

is(as($me, 'SELECT idem.require_approval(true)'), '42501', 'who is not authenticated turns nothing on');
is(as('alice', 'SELECT idem.require_approval(true)'), '', 'a person does');
is(as('bob', q{SELECT idem.pause('scope', 'payout', reason => 'stop')}), '', 'to stop needs no approval');

# Everything that needs one
my %call = (
	'resume' => q{SELECT idem.resume('scope', 'payout', reason => 'go on')},
	'alter_scope' => q{SELECT idem.alter_scope('debit', fields => '{a,b}', force => 'looser')},
	'drop_scope' => q{SELECT idem.drop_scope('old', force => 'gone')},
	'loosen' => q{SELECT idem.define_machine('payment', 'stateDiagram-v2
		[*] --> created
		created --> paid
		created --> failed
		paid --> [*]
		failed --> [*]', loosen => 'may fail')},
	'loosen codes' => q{SELECT idem.define_return_codes('bank', E'| code | meaning |\n| --- | --- |\n| 0 | succeeded |\n| 1 | failed |', loosen => 'certain')},
	'correct' => q{SELECT idem.correct('payout', 'po-1', 'succeeded', reason => 'the statement', evidence => '{"entry":1}')},
	'adopt_site' => q{SELECT idem.adopt_site('nothing was lost', lost => '0')},
	'set_site' => q{SELECT idem.set_site('here', on_move => 'halt', reason => 'never follow')},
	'confirmed' => q{SELECT idem.claim('twice', 't2', '{"a":1}', confirmed => 'it is another one')},
	'confirm_suspects' => q{SELECT idem.confirm_suspects(ARRAY(SELECT id FROM idem.suspects WHERE key = 't3'), 'this one, too')},
	'drop_guard' => q{SELECT idem.drop_guard('payment', 'states', reason => 'moved')},
);
foreach my $what (sort keys %call)
{
	is(as('alice', $call{$what}), '42501', "$what: nobody does it alone");
	my $approve = approval();
	is(as('alice', $approve), '', "$what: the same person approves");
	is(as('alice', $call{$what}), '42501', "$what: which is not another's approval");
	is(as('alice', "SET SESSION AUTHORIZATION bob; $approve"), '', "$what: the same person approves as another role");
	is(as('alice', $call{$what}), '42501', "$what: nor is that");
	is(as($me, $approve), '42501', "$what: nobody in particular approves nothing");
	is(as('bob', $approve), '', "$what: another person approves");
	is(as('alice', "BEGIN; $call{$what}; ROLLBACK"), '', "$what: it passes, and is rolled back");
	is(as('alice', $call{$what}), '', "$what: which used nothing up");
}
is(ask('SELECT count(*) FROM idem.approval WHERE used_at IS NOT NULL'), scalar(keys %call), 'each approval was used once');
is(ask(q{SELECT string_agg(DISTINCT person || ' for ' || used_by, ', ') FROM idem.approval WHERE used_at IS NOT NULL}), 'bob for alice', 'by two persons');
is(as('bob', 'SELECT idem.grant_operator($$bob$$)'), '42501', 'an operator names no operator');

# Once: the same words about another pause are another call.
as('bob', q{SELECT idem.pause('scope', 'payout', reason => 'stop')});
is(as('alice', $call{resume}), '42501', 'an approval is for one time');
# What was approved is what is done: with another argument it is not,
my $approve = approval();
is(as('bob', $approve), '', 'approved');
is(as('alice', q{SELECT idem.resume('scope', 'payout', reason => 'another reason')}), '42501', 'another argument was not approved');
is(as('alice', q{SELECT idem.confirm_suspects(ARRAY(SELECT id FROM idem.suspects WHERE key = 't4'), 'this one, too')}), '42501', 'to be approved');
is(as('bob', approval()), '', 'approved');
ask(q{SELECT idem.fence('twice', 't4', 'it is none'), idem.claim('twice', 't5', '{"a":1}')});
is(as('alice', q{SELECT idem.confirm_suspects(ARRAY(SELECT id FROM idem.suspects WHERE key = 't5'), 'this one, too')}), '42501', 'another suspect was not approved');
# nor to an object that has changed.
is(as('alice', q{SELECT idem.alter_scope('debit', fields => '{a}', force => 'looser')}), '42501', 'to be approved');
$approve = approval();
is(as('bob', $approve), '', 'approved');
is(as('alice', q{SELECT idem.alter_scope('debit', completion => 'required')}), '', 'stricter needs nobody');
is(as('alice', q{SELECT idem.alter_scope('debit', fields => '{a}', force => 'looser')}), '42501', 'what was approved is another scope now');
# Within a day
$approve = approval();
is(as('bob', $approve), '', 'approved');
ask(q{UPDATE idem.approval SET at = at - interval '25 hours' WHERE used_at IS NULL});
is(as('alice', q{SELECT idem.alter_scope('debit', fields => '{a}', force => 'looser')}), '42501', 'an approval is for a day');
# Whoever approves makes the same call to see what the digest is of.
my $digest = $hint =~ /'([0-9a-f]{64})'/ ? $1 : '';
as('carl', q{SELECT 1});
ask(q{SELECT idem.grant_admin('carl')});
is(as('carl', q{SELECT idem.alter_scope('debit', fields => '{a}', force => 'looser')}), '42501', 'refused to the other one, too');
like($hint, qr/'$digest'/, 'and named by the same digest');

# The pause that was approved stays what it was while the call waits.
is(as('alice', $call{resume}), '42501', 'to be approved');
is(as('bob', approval()), '', 'approved');
my $other = $node->background_psql('postgres');
$other->query_safe('BEGIN; SELECT id FROM idem.approval WHERE used_at IS NULL FOR UPDATE');
my $waiting = $node->background_psql('postgres', extra_params => [ '-U', 'alice' ]);
$waiting->query_until(qr/begun/, "\\echo begun\n$call{resume};\n");
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = 'alice' AND wait_event_type = 'Lock'}), 'a call waits for an approval');
is(as($me, q{SET lock_timeout = '100 ms'; DELETE FROM idem.pause}), '55P03', 'nobody takes what was approved from under it');
$other->query_safe('COMMIT');
$other->quit;
$waiting->quit;
as('bob', q{SELECT idem.pause('scope', 'payout', reason => 'stop')});

# An emergency
is(findings(), '0', 'the doctor has nothing to say');
is(as('alice', $call{resume}), '42501', 'nobody else is awake');
$approve = approval(", emergency => 'nobody else is awake'");
is(as('alice', $approve), '', 'approved alone');
is(as('alice', $call{resume}), '', 'it passes');
is(findings(), '1', 'the doctor says so');
is(as('alice', $approve =~ s/, emergency.*/)/r), '', 'the same person cannot confirm it');
is(findings(), '1', 'the doctor still says so');
is(as('carl', $approve =~ s/, emergency.*/)/r), '', 'another one looks at it');
is($out, 'confirmed', 'and confirms it');
is(findings(), '0', 'the doctor is content');

# It is not turned off alone either, and outlives a dump.
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'dumped');
ask('CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'restored without an error');
is($node->safe_psql('restored', 'SELECT count(*) FROM idem.policy'), '1', 'it is required there, too');
is(as('alice', 'SELECT idem.require_approval(false)'), '42501', 'nobody turns it off alone');
is(as('bob', approval()), '', 'approved');
is(as('alice', 'SELECT idem.require_approval(false)'), '', 'two do');
as('bob', q{SELECT idem.pause('scope', 'payout', reason => 'stop')});
is(as('bob', $call{resume}), '', 'and then one person resumes');

$node->stop;
done_testing();
