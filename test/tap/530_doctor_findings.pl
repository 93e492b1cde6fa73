# Every finding of the doctor has a test that plants it.
#
# The list says for each finding, by a piece of its text, which test plants it;
# the same test shows that there is none before or after.  Here the list is
# compared with both sides: the piece stands in the source, and in what the
# test expects or, of a TAP test, looks for; and every text in the sources of
# the guards' findings is in the list, so that a new finding without a test
# fails here.  The same for the ways around a guard: each number of both lists
# of docs/bypass.md ends in one of three ways, names tests that exist, and is tried
# by its number; and for docs/runbook.md.  No server is asked.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::Bin/../..";

# [ file below src, piece of the finding there, test, as it reads there ]
my @findings = (
	# the trigger of a guard, on every table that holds its rows
	[ 'doctor/doctor_intact.c', 'is a foreign table', 'doctor', 'partition doctor.journal_4 is a foreign table' ],
	[ 'doctor/doctor_intact.c', 'inherits without the trigger', 'doctor' ],
	[ 'doctor/doctor_intact.c', 'trigger is missing on', 'doctor_findings' ],
	[ 'doctor/doctor_intact.c', 'has become a partition', 'doctor' ],
	[ 'doctor/doctor_intact.c', 'trigger is disabled on', 'doctor' ],
	[ 'doctor/doctor_intact.c', 'trigger does not fire always on', 'doctor' ],
	[ 'doctor/doctor_intact.c', 'does not fire as it was declared', 'doctor' ],
	[ 'doctor/doctor_intact.c', 'function was replaced', 'doctor' ],
	[ 'doctor/doctor_intact.c', 'is unlogged: a crash empties it', 'doctor_findings', 'journal_1 is unlogged: a crash empties it' ],
	[ 'doctor/doctor_intact.c', 'can be truncated', 'doctor' ],
	[ 'doctor/doctor_intact.c', 'statements of several rows end with 39P01', 'doctor_rows' ],
	[ 'doctor/doctor_intact.c', 'trigger on %s %s', 'doctor_findings', 'trigger on once has an argument "columns" that is not a list' ],
	[ 'doctor/doctor_intact.c', 'bears no trigger of this ', 'doctor_rows', 'bears no trigger of this limit' ],
	[ 'doctor/doctor_intact.c', 'has no CHECK', 'doctor_rows' ],
	[ 'doctor/doctor_intact.c', 'column %s of %s is gone', 'doctor_findings', 'column paid_at of doctor_findings.payment is gone' ],
	[ 'doctor/doctor_intact.c', 'can take statements away from the trigger', 'doctor_findings' ],
	[ 'doctor/doctor_intact.c', 'trigger does not fire always on', 'doctor_findings', 'trigger does not fire always on idem.machine' ],
	[ 'doctor/doctor_verdict.sql', 'has more problems', 'doctor_flooding' ],
	# what a guard relies on
	[ 'doctor/doctor_intact.c', 'can be null', 'doctor_intact', 'column payment of refund can be null' ],
	[ 'doctor/doctor_intact.c', 'which the guard cannot read', 'doctor_intact', 'has type text, which the guard cannot read' ],
	[ 'doctor/doctor_intact.c', 'has no primary key', 'doctor_intact', 'table payment has no primary key' ],
	[ 'doctor/doctor_intact.c', 'which shows its rows beside others', 'doctor_intact' ],
	[ 'total/total_key.c', 'there is no foreign key on exactly', 'doctor_intact' ],
	[ 'total/total_key.c', 'cannot carry the guard: it ', 'doctor_intact' ],
	# declarations
	[ 'doctor/doctor_verdict.sql', 'but the table bears no such trigger', 'doctor_findings' ],
	[ 'doctor/doctor_verdict.sql', 'is not on this table: ', 'doctor_swap' ],
	[ 'doctor/doctor.sql', 'which had it, was renamed to', 'doctor_swap' ],
	[ 'doctor/doctor.sql', 'the table was dropped', 'doctor_swap' ],
	[ 'doctor/doctor.sql', 'the parent table was dropped', 'doctor_swap' ],
	[ 'doctor/doctor_verdict.sql', 'was not declared in this database', 'doctor_findings' ],
	[ 'doctor/doctor_verdict.sql', 'owns tables with more guards that were not declared in this database', 'doctor_flooding' ],
	[ 'doctor/doctor_verdict.sql', '%s by %s at %s', 'doctor_ddl', 'allowed by idem.allow_unguarded' ],
	[ 'doctor/doctor_verdict.sql', ', allowed by ', 'doctor_ddl', 'allowed by idem.allow_unguarded' ],
	[ 'doctor/doctor_verdict.sql', 'is not validated: it was not tried on the rows', 'limit_facts' ],
	[ 'doctor/doctor.sql', 'it is judged as if the statement had written it', 'doctor_findings' ],
	# rows
	[ 'limit/limit_rows.c', 'is not the sum of the children', 'doctor_rows' ],
	[ 'limit/limit_rows.c', 'counted where it has', 'doctor_findings' ],
	[ 'limit/limit_rows.c', 'more went back than came in', 'doctor_findings', 'of which more went back than came in' ],
	[ 'machine/machine_rows.c', 'does not declare', 'doctor_rows', 'in a state that state machine "doctor_rows" does not declare' ],
	[ 'base/rows.c', 'rows could not be looked at', 'doctor_rows' ],
	[ 'base/rows.c', 'the server\'s log has more', 'doctor_rows' ],
	[ 'base/rows.c', 'another session holds a lock on them', 'doctor_rows_race' ],
	# event triggers, settings, what holds locks, effects outside
	[ 'doctor/doctor_verdict.sql', 'is missing: DDL can weaken guards', 'doctor_findings' ],
	[ 'doctor/doctor_verdict.sql', 'is disabled: DDL can weaken guards', 'doctor_findings' ],
	[ 'doctor/doctor_verdict.sql', 'does not fire always: DDL can weaken guards', 'doctor_findings' ],
	[ 'doctor/doctor_verdict.sql', 'others wait for its rows and keys', '510_doctor' ],
	[ 'doctor/doctor_verdict.sql', 'past the ladder', 'doctor_findings' ],
	[ 'doctor/doctor_verdict.sql', 'a late result', 'doctor_findings' ],
	[ 'doctor/doctor_verdict.sql', 'a reversal', 'doctor_findings' ],
	[ 'doctor/doctor_verdict.sql', 'an attempt that the provider may pay twice', 'channel_serial' ],
	[ 'doctor/doctor_verdict.sql', 'a person has to look', 'doctor_findings' ],
	[ 'doctor/doctor_verdict.sql', 'an attempt that may be lost', 'site' ],
	# standbys, and what carries keys elsewhere
	[ 'send/send.sql', 'asks for no standby: ', '344_send_confirmed', 'asks for no standby' ],
	[ 'send/send.sql', 'asks for %s synchronous standbys, and the server waits for ', 'send_standby', 'asks for 1 synchronous standbys, and the server waits for ' ],
	[ 'send/send.sql', 'no commit waits for the standby that follows this server', '344_send_confirmed' ],
	[ 'key/key_publication.sql', 'carries tables of claims, and not ', 'key_publication' ],
	[ 'key/key_publication.sql', 'leaves rows, columns or commands out of ', 'key_publication' ],
	# the place of the database
	[ 'send/send_site.sql', 'nothing is sent from here: %s', 'site', 'nothing is sent from here: ' ],
	[ 'send/send_site.sql', 'has scopes for effects outside and no site', 'site' ],
	[ 'send/send_site.sql', 'is to follow to a new timeline, and does not', '620_site' ],
	[ 'send/send_site.sql', 'keys that are seen for the first time are held until %s', '625_site_moved', 'keys that are seen for the first time are held until' ],
	[ 'doctor/doctor_settings.sql', 'hides the setting of the server from its sessions', '620_site', 'error setting idem.site of role' ],
	[ 'doctor/doctor_settings.sql', 'setting %s', '510_doctor', 'setting $setting' ],
	[ 'doctor/doctor_settings.sql', q{('fsync'}, '510_doctor', 'fsync => ' ],
	[ 'doctor/doctor_settings.sql', q{('full_page_writes'}, '510_doctor', 'full_page_writes => ' ],
	[ 'doctor/doctor_settings.sql', q{('event_triggers'}, '510_doctor', 'setting event_triggers' ],
	[ 'doctor/doctor_settings.sql', q{('synchronous_commit'}, '510_doctor', 'synchronous_commit => ' ],
	[ 'doctor/doctor_settings.sql', 'setting %s of %s', '510_doctor', 'setting synchronous_commit of' ],
	[ 'doctor/doctor_settings.sql', 'is off: a crash can take back', 'doctor', 'setting synchronous_commit of' ],
	[ 'doctor/doctor_settings.sql', 'is set for good: DDL can weaken guards (%s)', 'doctor', 'is set for good: DDL can weaken guards' ],
	[ 'doctor/doctor_settings.sql', 'are not asked why (%s)', 'doctor', 'are not asked why' ],
	[ 'doctor/doctor_settings.sql', 'is not asked why (%s)', 'doctor', 'can empty guarded tables and is not asked why' ],
	[ 'doctor/doctor_settings.sql', 'is off: ', '510_doctor' ],
	# roles
	[ 'doctor/doctor_roles.sql', 'is an application and owns', 'doctor_roles' ],
	[ 'doctor/doctor_roles.sql', 'is an application and a superuser', 'doctor_roles' ],
	[ 'doctor/doctor_roles.sql', 'it waits for a row as long as another holds it', 'doctor_roles' ],
	[ 'doctor/doctor_roles.sql', 'a statement may run for ever', 'doctor_roles' ],
	[ 'doctor/doctor_roles.sql', 'a session that hangs keeps its rows', 'doctor_roles' ],
	[ 'doctor/doctor_roles.sql', 'may create triggers on it', 'doctor_roles' ],
	[ 'doctor/doctor_roles.sql', 'foreign keys and the triggers of others sleep then', 'doctor_roles' ],
	[ 'doctor/doctor_roles.sql', 'idem.allow_unguarded', 'doctor_roles', 'may set idem.allow_unguarded' ],
	# columns that look like money
	[ 'audit/audit.sql', 'has no unique constraint', 'audit_schema' ],
	[ 'audit/audit.sql', 'is unique only together with', 'audit_schema' ],
	[ 'audit/audit.sql', 'is not valid: CREATE INDEX CONCURRENTLY failed', 'audit_schema' ],
	[ 'audit/audit.sql', 'is deferrable', 'audit_schema' ],
	[ 'audit/audit.sql', 'has a nondeterministic collation', 'audit_schema' ],
	[ 'audit/audit.sql', 'has type money', 'audit_schema' ],
	[ 'audit/audit.sql', 'it cannot hold 0.10 exactly', 'audit_schema' ],
	[ 'audit/audit.sql', 'without a unit', 'audit_schema' ],
	[ 'audit/audit.sql', 'looks like a status and has no guard', 'audit_schema' ],
	[ 'audit/audit.sql', 'has no primary key', 'audit_schema' ],
	[ 'audit/audit.sql', 'is unlogged: a crash empties it', 'audit_schema' ]);

foreach my $finding (@findings)
{
	my ($source, $piece, $test, $read) = @$finding;
	my $shown = $test =~ /^\d/ ? "test/tap/$test.pl" :
	  -e "$root/test/isolation/specs/$test.spec" ? "test/isolation/expected/$test.out" :
	  "expected/$test.out";

	$read = $piece unless defined $read;
	ok(index(slurp_file("$root/src/$source"), $piece) >= 0, "$source can say: $piece");
	ok(index(slurp_file("$root/$shown"), $read) >= 0, "$shown plants: $read");
}

# What is neither finding nor remedy: names of objects, and words of other views.
my %other = map { $_ => 1 } (
	'%s trigger %I on %s', '%s guard %I on %s', 'limit guard %I on %s', 'event trigger %I', 'trigger %I on %s',
	'prepared transaction %L', 'scope %I', 'extension idem', 'late result', 'reverse needed', 'stale attempt', 'lost attempt', '10 minutes',
	'claim is', 'claims are', 'claim has', 'claims have', 'claim needs', 'claims need',
	'a crash of the machine can take back what was committed', 'a crash of the machine can leave torn pages',
	'DDL can weaken guards', 'a crash can take back what was told to the client',
	', unless the database is one for tests');

# Every text that the views of the guards and the verdict hold: a finding of
# the list, a remedy, or the name of an object.
foreach my $source ('doctor/doctor.sql', 'doctor/doctor_verdict.sql', 'doctor/doctor_settings.sql')
{
	my $text = slurp_file("$root/src/$source");
	my @pieces = map { $_->[1] } grep { $_->[0] eq $source } @findings;

	$text =~ s/--.*$//mg;
	$text =~ s/^COMMENT ON .*?;$//msg;
	while ($text =~ /'((?:[^']|'')*)'/g)
	{
		my $literal = $1;

		next unless $literal =~ /\w \w|% \w/;
		# remedies begin with what to do
		next if $literal =~ /^(ALTER|CREATE|DROP|SELECT|COMMIT|look|take|declare|put|set) / || $other{$literal};
		ok((grep { index($literal, $_) >= 0 } @pieces) > 0, "$source: in the list: $literal");
	}
}

# The same of the definition of intact: what psprintf makes there, on one line
# or the next, that is no statement and no advice.
{
	my $text = slurp_file("$root/src/doctor/doctor_intact.c");
	my @pieces = map { $_->[1] } grep { $_->[0] eq 'doctor/doctor_intact.c' } @findings;

	while ($text =~ /p(?:sprintf|strdup)\(\s*"([^"]*)"/g)
	{
		my $literal = $1;

		next if $literal =~ /^(ALTER|CREATE|DROP|take|guard=) ?/;
		ok((grep { index($literal, $_) >= 0 } @pieces) > 0, "doctor_intact.c: in the list: $literal");
	}
}

#
# The ways around a guard
#
my $readme = slurp_file("$root/docs/bypass.md");
my %list = (
	'#' => [ 51, 'doctor_bypass' ],
	'status #' => [ 15, 'machine_bypass' ]);

foreach my $head (sort keys %list)
{
	my ($last, $test) = @{ $list{$head} };
	my ($rows) = $readme =~ /^\| \Q$head\E \| way \| .*\n\|[- |]+\n((?:\|.*\n)+)/m;
	my @rows = map { [ split /\s*\|\s*/, $_ ] } split /\n/, $rows;
	my $tried = slurp_file("$root/sql/$test.sql");

	is(join(' ', map { $_->[1] } @rows), join(' ', 1 .. $last), "docs/bypass.md: all $last of '$head'");
	foreach my $row (@rows)
	{
		my (undef, $number, $way, $ends, $tests) = @$row;
		my @tests = split /, /, $tests // '';

		like($ends, qr/^(refused|seen|outside)\b/, "docs/bypass.md: $head $number ends in one of three ways");
		ok(@tests > 0 || $ends =~ /^outside/, "docs/bypass.md: $head $number names its test");
		ok((grep { -e $_ } glob "$root/{sql/$_.sql,test/isolation/specs/$_.spec,test/tap/[0-9]*_$_.pl}") > 0,
			"docs/bypass.md: $head $number: $_ is a test")
		  foreach @tests;
		ok($tried =~ /^--.*(^|\W)$number: /m, "sql/$test.sql: $number, $way");
	}
}

#
# The runbook
#
# Every text of a finding, in the views that the doctor reads and in what looks
# at guards and rows, has an entry in docs/runbook.md, and no entry is of a text
# that is nowhere.  An entry is what stands in backticks there, with an ellipsis
# where the source has a value.
#
my $runbook = slurp_file("$root/docs/runbook.md");
my @entries = map { /`([^`]*)`/g } grep { /^\| / } split /\n/, $runbook;

# What is said of rows that a DDL command moves, or elsewhere, and never by the
# doctor
my %elsewhere = map { $_ => 1 } (
	'idem rows', 'that are kept', 'counting against a %s', 'whose running total "%s" is not zero, without a child',
	'beyond the cap', 'in no final state', 'in a state that asks for children, without a child', '%s IS NOT TRUE');

# Names of objects, times, numbers and the words of a count
my $no_finding = qr/^(?:
	%I | %s(?:[ ]%s)* | %s[ ]%s:[ ]%s | %s,[ ]for[ ].* | ,[ ]for[ ].* | \d+[ ]\w+ | line[ ]%s:[ ]%s | its[ ]beginning
	| (?:%s[ ])?(?:event[ ])?trigger[ ]%I(?:[ ]on[ ]%s)? | (?:limit|%s)[ ]guard[ ](?:%I|%s)[ ]on[ ]%s
	| (?:index|table|sequence|setting|approval[ ]of)[ ]%s | table[ ]idem\.%I | setting[ ]%s[ ]of[ ]%s | column[ ]%I[ ]of[ ]table[ ]%s
	| (?:role|scope|channel|interface|publication|subscription|site|reconciliation|state[ ]machine|return[ ]code[ ]table)[ ]%I | %s[ ]%I | [ ]state[ ]%I
	| prepared[ ]transaction[ ]%L | this[ ]database | extension[ ]idem | of[ ]table[ ]"%s"[ ]whose[ ]%s | "%s",[ ]which[ ]%s | [ ]%s[ ]%s[ ]in[ ]scope[ ]"%s"
	| claims?[ ](?:is|are|has|have|needs?) | (?:late|reverse|stale|lost)[ ](?:result|needed|attempt) | [ ]?1?[ ]?rows?[ ](?:is|are)
	| payments?[ ]of[ ]theirs | differences?[ ](?:is|are)[ ]open | days?[ ](?:is|are) | a[ ]code | 'a[ ]row' | ,[ ]the[ ]first[ ]since[ ]
	| ,[ ]unless[ ].* | on[ ]the[ ]partitioned[ ]table[ ]at[ ]the[ ]top)$/x;

# What a remedy or a hint begins with
my $remedy = qr/^(?:[A-Z][a-z]|A[ ][a-z]|An[ ]|idem[. ](?!rows)|(?:ALTER|CASE|CREATE|DROP|SELECT|COMMIT|REVOKE|add|adopt|another|bring|call|carry|collect|convert
	|find|give|have|keep|list|look|name|put|restore|see|set|take|what[ ]these)[ ]|ask[ ]|begin[ ]|declare[ ])/x;

# The fixed parts of a text, those with a word in them
sub parts
{
	my ($literal, $value) = @_;
	return grep { /\w{2}/ } map { s/^\s+|\s+$//gr } split /$value/, $literal;
}

my (%said, $sources);
foreach my $path (grep { !m{/update/} } glob("$root/src/*/*.sql"))
{
	my $text = slurp_file($path) =~ s/--(?=\s).*$//mgr;

	$sources .= $text =~ s/''/'/gr;
	foreach my $view ($text =~ /^CREATE VIEW idem\.\w+_(?:problems|verdicts) AS(.*?);\n/msg)
	{
		$said{$_} = $path foreach map { s/''/'/gr } $view =~ /'((?:[^']|'')*)'/g;
	}
}
foreach my $path (glob("$root/src/*/*.c"))
{
	my $text = slurp_file($path) =~ s{/\*.*?\*/}{}gsr =~ s/^#include.*$//mgr =~ s/"\s*\n\s*"//gr =~ s/\\"/"/gr;

	$sources .= $text;
	next unless $path =~ m{/(?:doctor_intact|total_key|\w*rows)\.c$};
	$text = slurp_file($path) =~ s{/\*.*?\*/}{}gsr =~ s/^#include.*$//mgr =~ s/"\s*\n\s*"//gr;
	$text =~ s/\b(?:err(?:msg|hint|detail)|elog)\s*\(.*?\)\)?;//gs;
	$said{$_} = $path foreach map { s/\\"/"/gr }
	  grep { !/SELECT|pg_catalog|CREATE|format\(| AS |\.\*|WHERE|FROM|JOIN| OR | AND |=> |could not prepare/ } $text =~ /"((?:[^"\\]|\\.)*)"/g;
}
foreach my $literal (sort keys %said)
{
	next unless $literal =~ /\w \w|% \w|\w %|\w: $/;
	next if $literal =~ $remedy || $literal =~ $no_finding || $elsewhere{$literal};
	my @parts = parts($literal, qr/"?%(?:\d\$)?[sIL]"?/);
	my ($found) = grep { my $entry = $_; !grep { index($entry, $_) < 0 } @parts } @entries;

	ok(defined $found, "docs/runbook.md: an entry: $literal") or diag($said{$literal});
}
foreach my $entry (grep { / / && !/^(?:ALTER|SELECT|CALL|SET|DISABLE|CREATE)\b|=/ } @entries)
{
	my @missing = grep { index($sources, $_) < 0 } parts($entry =~ s/\\//gr, qr/…| of which /);

	is("@missing", '', "docs/runbook.md: something says: $entry");
}

done_testing();
