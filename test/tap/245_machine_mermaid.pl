# The verdicts that sql/machine_mermaid.sql relies on are those of Mermaid.
#
# test/mermaid/verdicts.mjs makes the list anew, with the Mermaid in the folder
# that $MERMAID_MODULES names: the node_modules of an "npm install" in a copy of
# test/mermaid.  Without it there is nothing to compare.
#
# Then it reads $MERMAID_COUNT other diagrams (12,000), and so does idem: what
# idem can read, which are some 5,800 of them, Mermaid has to draw as it says.
# Some minutes.
#
# Where a Chromium is to be had besides ($CHROMIUM, or one on the path), what
# machine_diagram returns of the machines of test/machines is rendered in it,
# by Mermaid as a page would have it: each has to become an SVG with all its
# states in it, and with counts => true with their rows, too.

use strict;
use warnings;

use File::Basename;
use File::Temp;
use IPC::Run qw(run);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $modules = $ENV{MERMAID_MODULES};
plan skip_all => 'MERMAID_MODULES names no folder with Mermaid'
  unless defined $modules && -d "$modules/mermaid";

my $place = dirname(__FILE__) . '/../mermaid';
my ($made, $err);
ok(run([ 'node', "$place/verdicts.mjs", $modules ], '>', \$made, '2>', \$err), 'Mermaid has read them all')
  or diag($err);
open my $file, '<', "$place/verdicts" or die "could not open the list: $!";
my @was = <$file>;
close $file;
my @is = split /^/, $made;
is(scalar @is, scalar @was, 'as many as in the list');
my @differ = grep { $is[$_] ne $was[$_] } 0 .. ($#is < $#was ? $#is : $#was);
is(scalar @differ, 0, 'the verdicts are the same');
diag("line $_: $is[$_]instead of $was[$_]") foreach grep { defined } @differ[ 0 .. 2 ];

# ------------------------------------------------------- what else idem reads

my $count = $ENV{MERMAID_COUNT} // 12000;
my $list = File::Temp->new;
ok(run([ 'node', "$place/verdicts.mjs", $modules, $count, 20261130 ], '>', $list->filename, '2>', \$err),
	"Mermaid has read $count others")
  or diag($err);
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION idem; CREATE TABLE line (line text)');
# each line as it is: no character of the text is one that COPY would read
$node->safe_psql('postgres', sprintf(q{COPY line FROM '%s' (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02')}, $list->filename))
  if chmod 0644, $list->filename;
$node->safe_psql('postgres', q{
	CREATE TABLE diagram AS
	SELECT split_part(line, E'\t', 1) AS verdict, text,
	       NOT EXISTS (SELECT FROM idem.check_machine(text) WHERE problem = 'syntax') AS accepted
	FROM line, LATERAL (SELECT split_part(line, E'\t', 3)::jsonb #>> '{}') t (text)});
is($node->safe_psql('postgres', q{SELECT text FROM diagram WHERE accepted AND verdict <> 'drawn' LIMIT 3}),
	'', 'Mermaid draws what idem reads');
my $accepted = $node->safe_psql('postgres', 'SELECT count(*) FROM diagram WHERE accepted');
cmp_ok($accepted, '>=', 5 * $count / 12, 'which is a good part of them');
note("$accepted of $count");

# ---------------------------------------------------------- as a page shows it

my $chromium = $ENV{CHROMIUM};
($chromium) = grep { -x } map { ("$_/chromium", "$_/chromium-headless-shell") } split /:/, $ENV{PATH}
  unless defined $chromium;
SKIP:
{
	skip 'no Chromium', 1 unless defined $chromium;
	my $page = File::Temp->newdir;
	my $machines = dirname(__FILE__) . '/../machines';
	my $n = 0;
	open my $html, '>', "$page/page.html" or die;
	print $html '<!doctype html><meta charset="utf-8"><body>';
	foreach my $path (sort glob "$machines/*.mmd")
	{
		my $text = slurp_file($path);
		my $name = 'm' . ++$n;
		$text =~ s/'/''/g;
		$node->safe_psql('postgres', "SELECT FROM idem.define_machine('$name', '$text')");
		my $states = $node->safe_psql('postgres', "SELECT string_agg(DISTINCT state, ' ') FROM idem.machine_table('$name')");
		foreach my $counts ('false', 'true')
		{
			my $diagram = $node->safe_psql('postgres', "SELECT idem.machine_diagram('$name', counts => $counts)");
			my $shown = $counts eq 'true' ? "$states rows" : $states;
			$diagram =~ s/&/&amp;/g;
			$diagram =~ s/</&lt;/g;
			print $html qq{<pre class="mermaid" data-states="$shown">$diagram</pre>\n};
		}
	}
	# what cannot be rendered, or lacks a state, is named in the title
	print $html qq{<script src="mermaid.min.js"></script><script>
		const said = [];
		(async () => {
			mermaid.initialize({ startOnLoad: false });
			let n = 0;
			for (const pre of document.querySelectorAll('pre')) {
				const states = pre.dataset.states.split(' ');
				try {
					const { svg } = await mermaid.render('g' + ++n, pre.textContent);
					pre.innerHTML = svg;
					const drawn = pre.querySelector('svg');
					const box = drawn.getBoundingClientRect();
					if (box.width < 50 || box.height < 50)
						said.push(n + ' is ' + box.width + ' by ' + box.height);
					for (const s of states)
						if (!drawn.textContent.includes(s) && !drawn.innerHTML.includes('-' + s + '-'))
							said.push(n + ' lacks ' + s);
				} catch (e) {
					said.push(n + ': ' + e.message);
				}
			}
			document.title = 'rendered ' + n;
			document.body.dataset.said = said.join('; ');
		})();
	</script>};
	close $html;
	symlink "$modules/mermaid/dist/mermaid.min.js", "$page/mermaid.min.js" or die;
	my $dom;
	run([ $chromium, '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
			'--disable-background-networking', '--disable-component-update', '--disable-sync',
			'--allow-file-access-from-files', "--user-data-dir=$page/profile", '--virtual-time-budget=60000', '--dump-dom',
			"file://$page/page.html" ], '>', \$dom, '2>', \$err);
	my ($rendered) = $dom =~ /<title>rendered (\d+)/;
	my ($wrong) = $dom =~ /data-said="([^"]*)"/;
	is($rendered, 2 * $n, "a browser renders all $n machines, twice") or diag($err);
	is($wrong, '', 'with all of their states');
}
done_testing();
