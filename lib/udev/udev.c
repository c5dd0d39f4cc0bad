// SPDX-License-Identifier: MIT
#include "lib/udev.h"

#include <errno.h>
#include <libudev.h>
#include <stdlib.h>

#include "lib/err.h"
#include "lib/module.h"

enum { BUFFER = 8 << 20 };	/* bytes of events that wait: a card that goes takes 256 domains with it */

struct monitor {
	struct udev *udev;
	struct udev_monitor *events;
	struct udev_device *last;
};

static void free_monitor(struct monitor *m)
{
	if (!m)
		return;
	udev_device_unref(m->last);
	udev_monitor_unref(m->events);
	udev_unref(m->udev);
	free(m);
}

static int listen_to(struct monitor *m, const char *const *subsystems, const char *from)
{
	int r = 0;

	m->udev = udev_new();
	m->events = m->udev ? udev_monitor_new_from_netlink(m->udev, from) : NULL;
	if (!m->events)
		return -1;
	(void)udev_monitor_set_receive_buffer_size(m->events, BUFFER);	/* less without the right to */
	for (size_t i = 0; r >= 0 && subsystems[i]; i++)
		r = udev_monitor_filter_add_match_subsystem_devtype(m->events, subsystems[i], NULL);
	return r < 0 ? r : udev_monitor_enable_receiving(m->events);
}

static int open_monitor(struct monitor **ret, const char *const *subsystems, bool after_udevd, struct err *e)
{
	struct monitor *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return err_nomem(e);
	errno = 0;
	r = listen_to(m, subsystems, after_udevd ? "udev" : "kernel");
	if (r < 0) {
		r = err_set(e, errno ? errno : EIO, "cannot listen for events of devices");
		free_monitor(m);
		return r;
	}
	*ret = m;
	return 0;
}

static int fd_of(const struct monitor *m)
{
	return udev_monitor_get_fd(m->events);
}

static const char *property(const struct event *event, const char *name)
{
	return udev_device_get_property_value(event->device, name);
}

static int next(struct monitor *m, struct event *ret, struct err *e)
{
	struct udev_device *d;

	errno = 0;
	d = udev_monitor_receive_device(m->events);
	if (!d && errno == ENOBUFS)
		return -ENOBUFS;
	if (!d && (errno == 0 || errno == EAGAIN || errno == EINTR))	/* or it was of another subsystem */
		return 0;
	if (!d)
		return err_sys(e, "cannot receive events of devices");
	udev_device_unref(m->last);
	m->last = d;
	*ret = (struct event){
		.action = udev_device_get_action(d), .subsystem = udev_device_get_subsystem(d),
		.name = udev_device_get_sysname(d), .property = property, .device = d,
	};
	return ret->action && ret->subsystem && ret->name ? 1 : 0;
}

MODULE_EXPORT extern const struct udev_module hwkey_module;
const struct udev_module hwkey_module = {
	.open = open_monitor, .fd = fd_of, .next = next, .free = free_monitor,
};
