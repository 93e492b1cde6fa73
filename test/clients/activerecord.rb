# activerecord.rb - ActiveRecord; amounts are declared as decimal attributes
require 'active_record'
require_relative 'steps'

ActiveRecord::Base.establish_connection(adapter: 'postgresql', host: ENV['PGHOST'], port: ENV['PGPORT'],
                                        username: 'postgres', database: 'postgres', prepared_statements: !ENV['POOLED'])
class Payment < ActiveRecord::Base
  self.table_name = 'payment'
  attribute :amount, :decimal
end

class Undeclared < ActiveRecord::Base
  self.table_name = 'payment'
end

class Account < ActiveRecord::Base
  self.table_name = 'account'
  attribute :balance, :decimal
end

row = { currency: 'EUR', status: 'created' }
step('insert a BigDecimal') { Payment.create!(**row, amount: BigDecimal('12.34')); nil }
step('insert a whole BigDecimal') { Payment.create!(**row, amount: BigDecimal('100')); nil }
step('insert an integer') { Payment.create!(**row, amount: 5); nil }
step('insert a float') { Payment.create!(**row, amount: 12.34); nil }
step('insert, the attribute not declared') { Undeclared.create!(**row, amount: BigDecimal('12.34')); nil }
step('insert an integer, the attribute not declared') { Undeclared.create!(**row, amount: 5); nil }
step('save') { Payment.find(1).update!(channel_no: 'C1'); nil }
step('save, nothing changed') { Payment.find(1).save!; nil }
step('save all columns') do
  Payment.partial_writes = false
  Payment.find(1).update!(channel_no: 'C2')
  Payment.partial_writes = true
  nil
end
step('update the state') { Payment.where(id: 1).update_all(status: 'paying'); nil }
step('update the state again') { Payment.where(id: 1).update_all(status: 'paying'); nil }
step('decrement') { Account.where(id: 1).update_all(['balance = balance - ?', BigDecimal('1.50')]); nil }
step('decrement!') { Account.find(1).decrement!(:balance, BigDecimal('1.50')); nil }
step('decrement under a lock') { a = Account.find(1); a.with_lock { a.update!(balance: a.balance - BigDecimal('1.50')) }; nil }
step('update_counters') { Account.update_counters(1, balance: -1); nil }
step('upsert') { Payment.upsert({ id: 1, amount: '12.34', currency: 'EUR', channel_no: 'C3', status: 'paying' }); nil }
step('where') { Payment.where('amount > ?', BigDecimal('10')).count }
step('where, a hash') { Payment.where(amount: BigDecimal('12.34')).count }
step('sum') { Payment.sum(:amount) }
step('read') { Payment.find(1).amount }
step('read, the attribute not declared') { Undeclared.find(1).amount }
