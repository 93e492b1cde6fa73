# ActiveRecord: prepared_statements: false behind a pooler in transaction mode
require 'active_record'

ActiveRecord::Base.establish_connection(adapter: 'postgresql', host: ENV['PGHOST'], port: ENV['PGPORT'], username: 'postgres',
                                        database: 'postgres', prepared_statements: !ENV['POOLED'], advisory_locks: false)

class Debit < ActiveRecord::Base
  self.table_name = 'debit'
  attribute :amount, :decimal
end

KEY = ARGV[0]
AMOUNT = '{"amount":88.00}'

def ask(sql, *values)
  Debit.connection.select_one(Debit.sanitize_sql([sql, *values]))
end

Debit.transaction do
  puts 'granted' if ask("SELECT granted FROM idem.claim('debit', ?, ?)", KEY, AMOUNT)['granted']
  Debit.create!(message: KEY, amount: BigDecimal('88.00'))
end
puts 'settled' if ask("SELECT settled FROM idem.claim('debit', ?, ?)", KEY, AMOUNT)['settled']
begin
  Debit.create!(message: KEY, amount: BigDecimal('88.00'))
rescue ActiveRecord::StatementInvalid => e
  puts "refused #{e.cause.result.error_field(PG::PG_DIAG_SQLSTATE)}"
end
token = ask("SELECT token FROM idem.reserve('payout', ?, ?)", KEY, AMOUNT)['token']
puts 'dispatched' if ask("CALL idem.dispatch('payout', ?, ?)", KEY, token)['granted']
puts "amount #{format('%.2f', Debit.find_by(message: KEY).amount)}"
