# SPDX-License-Identifier: GPL-2.0-only
# What kbuild would build in one directory: asked by harness/users-plan, run in
# an output folder with srctree= and obj=. Prints a line for each module
# ("M module.o its objects"), built-in object ("Y") and subdirectory ("D"), as
# kbuild's own lists say it for that folder's configuration. Kbuild compiles a
# single object even if its option is off, so that it could be built says not
# that anybody ever would.
include include/config/auto.conf
include $(srctree)/scripts/Kbuild.include
src := $(srctree)/$(obj)
include $(or $(wildcard $(src)/Kbuild),$(src)/Makefile)
include $(srctree)/scripts/Makefile.lib

in-module = $(call real-search,$(patsubst $(obj)/%,%,$1),.o,-objs -y -m)

print:
	$(foreach m,$(obj-m),$(info M $m $(addprefix $(obj)/,$(call in-module,$m))))
	$(foreach o,$(real-obj-y),$(info Y $o))
	$(foreach d,$(subdir-ym),$(info D $d))
	@:

.PHONY: print
