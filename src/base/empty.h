/*
 * empty.h
 *		TRUNCATE of tables whose rows are kept.
 */
#ifndef IDEM_EMPTY_H
#define IDEM_EMPTY_H

#include "commands/trigger.h"

extern void idem_empty_init(void);
extern void idem_judge_truncation(const TriggerData *trigdata);

#endif							/* IDEM_EMPTY_H */
