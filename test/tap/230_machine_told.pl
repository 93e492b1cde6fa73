# Who is told that a transition was made before acknowledges the message: 23I04,
# "already" and "passed" are said when the commit that made it is on disk, and
# with the standbys that are required (wound 9b). The session that made it may
# have asked for less.
#
# Transitions are made with synchronous_commit = off while the WAL writer sleeps,
# and repeated at once: has the answer flushed them? A crash shows the same, and
# a standby that never comes that it is waited for.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
max_wal_senders = 5
wal_level = replica
wal_writer_delay = 10s
autovacuum = off
synchronous_commit = off
CONF
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION idem;
	SELECT idem.define_machine('payment', 'stateDiagram-v2
		[*] --> created
		created --> paying
		paying --> succeeded
		succeeded --> [*]');
	CREATE TABLE payment (id int PRIMARY KEY, status text NOT NULL, note text);
	SELECT idem.guard_states('payment', 'status', 'payment');
	INSERT INTO payment SELECT n, 'created' FROM generate_series(1, 200) n});

# Make a transition and ask about it: is it flushed before, and after? If the WAL
# writer flushed it meanwhile, once more: # is the number of a row.
my $row = 0;
sub told
{
	my ($name, $write, $question, $answer) = @_;
	my ($out, $err) = ('f', '');

	for (my $try = 1; $try < 10 && $out =~ /^f/; $try++)
	{
		$row++;
		$node->psql('postgres', qq{
\\set VERBOSITY sqlstate
SELECT pg_switch_wal() \\g /dev/null
$write;
SELECT pg_current_wal_insert_lsn() AS done \\gset
SELECT pg_current_wal_flush_lsn() < :'done';
$question;
SELECT pg_current_wal_flush_lsn() >= :'done';
} =~ s/#/$row/gr, stdout => \$out, stderr => \$err, on_error_stop => 0);
	}
	$err =~ s/^.*ERROR: +//;
	is("$out $err", $answer, "told: $name");
}

my $paying = q{UPDATE payment SET status = 'paying' WHERE id = #};
my $succeeded = q{UPDATE payment SET status = 'succeeded' WHERE id = #};
my $transition = q{SELECT outcome FROM idem.transition('payment', '#', 'paying')};
told('already', $paying, $transition, "t\nalready\nt ");
told('already, of a row that is frozen', "$paying; VACUUM (FREEZE) payment", $transition, "t\nalready\nt ");
told('already, of a row that we changed otherwise',
	"$paying; BEGIN; UPDATE payment SET note = 'x' WHERE id = #", $transition, "t\nalready\nt ");
told('passed', "$paying; $succeeded", $transition, "t\npassed\nt ");
told('23I04', $paying, $paying, "t\nt 23I04");
told('23I04, of a row that we changed otherwise',
	"$paying; BEGIN; UPDATE payment SET note = 'x' WHERE id = #", "$paying; ROLLBACK", "t\nt 23I04");
# What nobody acknowledges flushes nothing.
told('conflict', $paying, q{SELECT outcome FROM idem.transition('payment', '#', 'paying', set => '{"note": "y"}') \g /dev/null}
	. qq{\nSELECT 'flushed early' WHERE pg_current_wal_flush_lsn() >= :'done'; SELECT txid_current() \\g /dev/null\nSET synchronous_commit = on; INSERT INTO payment VALUES (1000 + #, 'created')}, "t\nt ");

# A crash.
$node->safe_psql('postgres', 'CHECKPOINT');
$node->safe_psql('postgres', $_) foreach (
	q{UPDATE payment SET status = 'paying' WHERE id = 101},
	q{SELECT idem.transition('payment', '101', 'paying')});
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', q{SELECT status FROM payment WHERE id = 101}), 'paying', 'what was told is there after a crash');

# A standby that does not answer: no word is better than one that may not stay.
$node->append_conf('postgresql.conf', q{synchronous_standby_names = 'nobody'});
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('synchronous_standby_names') = 'nobody'}) or die 'no reload';
foreach my $ask (q{SELECT idem.transition('payment', '101', 'paying')}, q{UPDATE payment SET status = 'paying' WHERE id = 101})
{
	my ($ret, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\nSET statement_timeout = '200ms'; $ask");
	like($err, qr/ERROR:  57014/, "waits for the standby: $ask");
}

$node->stop;
done_testing();
