# SPDX-License-Identifier: GPL-2.0-only
#
# Builds, installs, tests and cleans one program. Its makefile sets
#
#	program		its name
#	objects		what it is linked from, without directories
#	tests		scripts that get the program as their argument
#	generated	further files that clean removes, if there are any
#
# and includes this. The user may set
#
#	O, OUTPUT	where the program goes (default: beside its source)
#	STATIC		link statically, for a small initramfs
#	KHDR_INCLUDES	-isystem of the kernel's exported headers (default: the
#			system's)
#	DESTDIR, prefix	where install puts it (default prefix: /usr/local)

OUTPUT	?= $(or $(O),.)
override OUTPUT := $(patsubst %/,%,$(OUTPUT))

prefix	?= /usr/local
bindir	?= $(prefix)/bin
mandir	?= $(prefix)/share/man
completionsdir ?= $(prefix)/share/bash-completion/completions
INSTALL	?= install

CC	?= gcc
CFLAGS	?= -O2 -g
override CFLAGS += -std=gnu11 -Wall -Wextra -pthread
override CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(KHDR_INCLUDES)
ifneq ($(STATIC),)
override LDFLAGS += -static
endif

# Programs may share a directory for what they are built into, but no object.
object_paths := $(objects:%=$(OUTPUT)/$(program)-%)

all: $(OUTPUT)/$(program)

$(OUTPUT)/$(program): $(object_paths)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

compile = $(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(OUTPUT)/$(program)-%.o: %.c $(wildcard *.h ../*.h) | $(OUTPUT)
	$(compile)

# What several programs use is one directory up.
$(OUTPUT)/$(program)-%.o: ../%.c $(wildcard ../*.h) | $(OUTPUT)
	$(compile)

$(OUTPUT):
	mkdir -p $@

install: all
	$(INSTALL) -d $(DESTDIR)$(bindir) $(DESTDIR)$(mandir)/man1 $(DESTDIR)$(completionsdir)
	$(INSTALL) -m 755 $(OUTPUT)/$(program) $(DESTDIR)$(bindir)
	$(INSTALL) -m 644 $(program).1 $(DESTDIR)$(mandir)/man1
	$(INSTALL) -m 644 $(program).bash-completion $(DESTDIR)$(completionsdir)/$(program)

# Needs neither buffers nor privileges, but uses bash, graphviz and root if there.
check: all
	for test in $(tests); do ./$$test $(abspath $(OUTPUT))/$(program) || exit; done

clean:
	rm -f $(OUTPUT)/$(program) $(object_paths) $(generated)
	rmdir -p $(dir $(generated)) $(OUTPUT) 2>/dev/null || true

.PHONY: all install check clean
