# idem: the invariants of payments, kept inside PostgreSQL
#
# ROOMS is the table of contents.  A room is a folder of src/ that holds the
# C and the SQL of one invariant; the order is the order of the install
# script, what is used before what uses it.
ROOMS = base money key codes claim channel send machine total limit ledger pair fixed bound reconcile control audit doctor watch

here := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
found = $(sort $(patsubst $(here)/%,%,$(wildcard $(addprefix $(here)/,$(1)))))

EXTENSION = idem
MODULE_big = idem
IDEM_VERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" $(here)/idem.control)
DATA_built = idem--$(IDEM_VERSION).sql
# The install scripts of earlier versions, which never change, and the ways
# from each version to the next
DATA = $(call found,src/update/*.sql)

PARTS = $(foreach room,$(ROOMS),src/$(room)/$(room).sql \
	$(call found,src/$(room)/$(room)_*.sql)) src/idem.sql
SOURCES = $(call found,src/*.c $(patsubst %,src/%/*.c,$(ROOMS)))
INCLUDES = $(call found,src/*.h $(patsubst %,src/%/*.h,$(ROOMS)))
OBJS = $(SOURCES:.c=.o)

PG_CPPFLAGS = -I$(here)/src

# Tests: sql/ in one session, test/isolation/ in several.  One test: make
# installcheck REGRESS=claim ISOLATION=.  test/tap/ makes clusters of its own,
# which neither root nor an install under DESTDIR can, and so is asked for by
# TAP_TESTS=1; test/run.sh does.
REGRESS = $(notdir $(basename $(call found,sql/*.sql)))
REGRESS_OPTS = --load-extension=idem
ISOLATION = $(notdir $(basename $(call found,test/isolation/specs/*.spec)))
ISOLATION_OPTS = --load-extension=idem --inputdir=$(here)/test/isolation
PROVE_TESTS = $(call found,test/tap/*.pl)
# tests end with tables that hold guarded rows, and drop them
export PGOPTIONS := $(PGOPTIONS) -c idem.drop_reason=test
EXTRA_CLEAN = $(OBJS:.o=.d) output_iso tmp_check tmp_check_iso log

# These bring what they need, also where there is no server to build for.
own = demo test bench indent dist
ifneq ($(filter-out $(own),$(or $(MAKECMDGOALS),all)),)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(wildcard $(PGXS)),)
$(error no server to build for: "$(PG_CONFIG) --pgxs" names no file; install the server development package or say make PG_CONFIG=...)
endif

# A server built with LLVM asks for its clang; without that compiler build
# what there is a compiler for.  make with_llvm=no says so by hand.
clang := $(shell sed -n 's/^CLANG *= *//p' $(dir $(PGXS))../Makefile.global)
ifeq ($(shell command -v $(clang)),)
override with_llvm = no
endif

include $(PGXS)

# A header that a server of another day does not bring along must end the build:
# a call without a declaration links, and fails when the library is loaded.
override CFLAGS += -Werror=implicit-function-declaration

# The compiler notes which headers an object was made from, for the next make;
# clang, which makes the bitcode from the same source, is not asked again.
BITCODE = $(OBJS:.o=.bc)
override CFLAGS += -MMD -MP -MT $(@:.bc=.o) -MT $(@:.o=.bc)
$(OBJS) $(BITCODE): Makefile
-include $(OBJS:.o=.d)

# out of tree, the folders of the objects have to be made
ifdef VPATH
folders = $(addprefix $(CURDIR)/,$(sort $(dir $(OBJS))))
$(OBJS) $(BITCODE): | $(folders)
$(folders):
	$(MKDIR_P) $@
endif

idem--$(IDEM_VERSION).sql: $(PARTS) idem.control Makefile
	cat $(filter %.sql,$^) > $@

endif

.PHONY: $(own)
demo:
	sh $(here)/test/demo.sh
test:
	sh $(here)/test/run.sh
bench:
	sh $(here)/bench/run.sh
indent:
	sh $(here)/test/indent.sh
# The archive for PGXN and for packagers: what is committed
dist:
	cd $(here) && git archive --format=zip --prefix=idem-$(IDEM_VERSION)/ \
		-o $(CURDIR)/idem-$(IDEM_VERSION).zip HEAD

# What unpacks an archive without knowing links leaves a text in place of each:
# the name of the file that it leads to.
.PHONY: links
installcheck: links
links:
	@cd $(here)/test/isolation && for file in */*_executor.*; do \
		[ -L "$$file" ] || ! [ -s "$$file" ] || \
		! [ -f "$$(dirname "$$file")/$$(head -n 1 "$$file" | cut -c1-99)" ] || \
		cp "$$(dirname "$$file")/$$(head -n 1 "$$file")" "$$file"; \
	done
