# django_orm.py - Django over psycopg 2; amounts are DecimalField, and then the
# field of docs/clients.md
import os
from decimal import Decimal

import django
from django.conf import settings

from steps import step

settings.configure(USE_TZ=True, DATABASES={'default': {
    'ENGINE': 'django.db.backends.postgresql', 'HOST': os.environ['PGHOST'], 'PORT': os.environ['PGPORT'],
    'USER': 'postgres', 'NAME': 'postgres'}})
django.setup()

from django.db import models  # noqa: E402
from django.db.models import F, Sum  # noqa: E402
from django.db.models.functions import Coalesce  # noqa: E402


class Payment(models.Model):
    id = models.BigAutoField(primary_key=True)
    amount = models.DecimalField(max_digits=20, decimal_places=6)
    currency = models.TextField()
    channel_no = models.TextField(null=True)
    status = models.TextField()

    class Meta:
        app_label = 'clients'
        db_table = 'payment'
        managed = False


class Account(models.Model):
    id = models.BigIntegerField(primary_key=True)
    balance = models.DecimalField(max_digits=20, decimal_places=6)

    class Meta:
        app_label = 'clients'
        db_table = 'account'
        managed = False


def add(amount):
    return lambda: Payment.objects.create(amount=amount, currency='EUR', status='created') and None


def save(**options):
    def run():
        p = Payment.objects.get(id=1)
        p.channel_no = 'C%s' % len(p.channel_no or '')
        p.save(**options)
    return run


step('insert a Decimal', add(Decimal('12.34')))
step('insert a whole Decimal', add(Decimal('100')))
step('insert an int', add(5))
step('save', save())
step('save again', save())
step('save some fields', save(update_fields=['channel_no', 'status']))
step('update the state', lambda: Payment.objects.filter(id=1).update(status='paying') and None)
step('update the state again', lambda: Payment.objects.filter(id=1).update(status='paying') and None)
step('update_or_create', lambda: Payment.objects.update_or_create(id=1, defaults={'channel_no': 'C9'}) and None)
step('bulk_create', lambda: Payment.objects.bulk_create([Payment(amount=Decimal(a), currency='EUR', status='created') for a in ('1.10', '2')]) and None)
step('bulk_update', lambda: Payment.objects.bulk_update([Payment(id=1, channel_no='C7')], ['channel_no']))
step('decrement', lambda: Account.objects.filter(id=1).update(balance=F('balance') - Decimal('1.50')) and None)
step('decrement by a whole number', lambda: Account.objects.filter(id=1).update(balance=F('balance') - 1) and None)
step('where', lambda: Payment.objects.filter(amount__gt=Decimal('10')).count())
step('where, by a whole number', lambda: Payment.objects.filter(amount__gt=10).count())
step('in', lambda: Payment.objects.filter(amount__in=[Decimal('12.34'), Decimal('5')]).count())
step('sum', lambda: Payment.objects.aggregate(s=Sum('amount'))['s'])
step('sum, or zero', lambda: Payment.objects.aggregate(s=Coalesce(Sum('amount'), Decimal('0')))['s'])
step('read', lambda: Payment.objects.get(id=1).amount)


class AmountField(models.DecimalField):
    def db_type(self, connection):
        return 'money_micro'

    def from_db_value(self, value, expression, connection):
        return None if value is None else Decimal(value)


from psycopg2.extensions import QuotedString, register_adapter  # noqa: E402

register_adapter(Decimal, lambda d: QuotedString(str(d)))


class Amounts(models.Model):
    id = models.BigAutoField(primary_key=True)
    amount = AmountField(max_digits=20, decimal_places=6)
    currency = models.TextField()
    channel_no = models.TextField(null=True)
    status = models.TextField()

    class Meta:
        app_label = 'clients'
        db_table = 'payment'
        managed = False


step('AmountField: insert a whole Decimal', lambda: Amounts.objects.create(amount=Decimal('100'), currency='EUR', status='created') and None)
step('AmountField: insert an int', lambda: Amounts.objects.create(amount=5, currency='EUR', status='created') and None)
step('AmountField: bulk_create', lambda: Amounts.objects.bulk_create([Amounts(amount=Decimal(a), currency='EUR', status='created') for a in ('1.10', '2')]) and None)
step('AmountField: decrement by a whole Decimal', lambda: Account.objects.filter(id=1).update(balance=F('balance') - Decimal('1')) and None)
step('AmountField: where', lambda: Amounts.objects.filter(amount__gt=10).count())
step('AmountField: sum, or zero', lambda: Amounts.objects.aggregate(s=Coalesce(Sum('amount'), Decimal('0')))['s'])
step('AmountField: read', lambda: Amounts.objects.get(id=1).amount)
