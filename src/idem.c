/*
 * idem.c
 *		Module magic, and one call a room when the library is loaded.
 */
#include "postgres.h"

#include "fmgr.h"

#include "base/empty.h"
#include "base/moved.h"
#include "base/site.h"
#include "bound/bound_rows.h"
#include "channel/channel.h"
#include "doctor/doctor.h"
#include "fixed/fixed_rows.h"
#include "key/key.h"
#include "ledger/ledger_rows.h"
#include "limit/limit_rows.h"
#include "machine/machine_rows.h"
#include "pair/pair_rows.h"
#include "total/total.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	idem_moved_init();
	idem_empty_init();
	idem_site_init();
	idem_key_pause_init();
	idem_channel_pause_init();
	idem_machine_rows_init();
	idem_machine_pause_init();
	idem_total_init();
	idem_limit_rows_init();
	idem_limit_check_init();
	idem_limit_pause_init();
	idem_ledger_rows_init();
	idem_pair_rows_init();
	idem_fixed_rows_init();
	idem_bound_keys_rows_init();
	idem_bound_rows_init();
	idem_doctor_refuse_init();
	idem_doctor_note_init();
	idem_doctor_watch_init();
}
