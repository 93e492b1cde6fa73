# steps.rb - what the programs in Ruby share; see steps.mjs
def say(text)
  File.open(ENV.fetch('CLIENTS_RECORD'), 'a') { |record| record.puts(text) }
end

def step(name)
  say("-- #{name}")
  result = yield
  say("--   gives #{result.inspect}") unless result.nil?
rescue StandardError => e
  cause = e
  cause = cause.cause until cause.nil? || cause.is_a?(PG::Error)
  code = cause&.result&.error_field(PG::Result::PG_DIAG_SQLSTATE)
  say("--   raises #{e.class} #{code}")
end
