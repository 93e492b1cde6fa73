/*
 * idem_errors.h
 *		Every SQLSTATE that is idem's own.
 *
 * Class 23 with a subclass of ours for a refused row, so that drivers and
 * object mappers already treat it as an integrity violation and a client can
 * still branch exactly.  docs/errors.md lists the same table; sql/errors.sql
 * raises each of them.
 */
#ifndef IDEM_ERRORS_H
#define IDEM_ERRORS_H

#include "utils/errcodes.h"

/* machine */
#define ERRCODE_IDEM_ILLEGAL_STATE_TRANSITION	MAKE_SQLSTATE('2','3','I','0','1')
#define ERRCODE_IDEM_ILLEGAL_INITIAL_STATE		MAKE_SQLSTATE('2','3','I','0','2')
#define ERRCODE_IDEM_FINAL_STATE				MAKE_SQLSTATE('2','3','I','0','3')
#define ERRCODE_IDEM_REPEATED_TRANSITION		MAKE_SQLSTATE('2','3','I','0','4')

/* limit, and the balance of an account */
#define ERRCODE_IDEM_LIMIT_EXCEEDED				MAKE_SQLSTATE('2','3','I','0','5')
#define ERRCODE_IDEM_REVERSE_MISMATCH			MAKE_SQLSTATE('2','3','I','0','6')
#define ERRCODE_IDEM_PARENT_NOT_OPEN			MAKE_SQLSTATE('2','3','I','0','9')

/* fixed, and the running total of a limit */
#define ERRCODE_IDEM_FIXED_COLUMN				MAKE_SQLSTATE('2','3','I','0','7')

/* any guard: a row that must stay */
#define ERRCODE_IDEM_KEPT_ROW					MAKE_SQLSTATE('2','3','I','0','8')

/* bound */
#define ERRCODE_IDEM_UNCLAIMED_EFFECT			MAKE_SQLSTATE('2','3','I','0','A')
#define ERRCODE_IDEM_REQUEST_MISMATCH			MAKE_SQLSTATE('2','3','I','0','D')

/* ledger */
#define ERRCODE_IDEM_UNBALANCED_JOURNAL			MAKE_SQLSTATE('2','3','I','0','B')

/* pair */
#define ERRCODE_IDEM_STATES_DISAGREE			MAKE_SQLSTATE('2','3','I','0','C')

/* base: a scope, channel, state or limit that is paused */
#define ERRCODE_IDEM_PAUSED						MAKE_SQLSTATE('5','5','I','0','3')

/* claim */
#define ERRCODE_IDEM_STALE_TOKEN				MAKE_SQLSTATE('5','5','I','0','1')
#define ERRCODE_IDEM_CLAIM_NOT_OPEN				MAKE_SQLSTATE('5','5','I','0','2')
#define ERRCODE_IDEM_INVALID_KEY				MAKE_SQLSTATE('2','2','I','0','1')
/* 40003: the server's own condition, which it never raises itself */
#define ERRCODE_IDEM_DISPATCH_NOT_CONFIRMED		ERRCODE_T_R_STATEMENT_COMPLETION_UNKNOWN

#endif							/* IDEM_ERRORS_H */
