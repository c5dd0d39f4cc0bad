// SPDX-License-Identifier: MIT
/*
 * list-devices --watch: a line for each change of what list-devices shows, until a signal ends it or nobody reads any
 * more. Events tell of most changes as they happen. What no event tells (a check-stopped queue, a module, the keystore) is
 * seen by looking again from time to time.
 */
#include "list-devices.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include "lib/module.h"
#include "lib/sys.h"
#include "lib/udev.h"
#include "lib/utc.h"

enum { BACKENDS_MAX = 32, SUBSYSTEMS_MAX = 32, INTERVAL = 30 /* seconds: the kernel itself looks for cards as often */ };
enum { SETTLED = 200 };	/* milliseconds after an event: by then what was removed is gone from sysfs, and udevd is done */

static const struct column columns[] = {
	{ "TIME", OUT_STRING, .width = UTC_SIZE - 1 }, { "EVENT", OUT_STRING, .width = 16 },
	{ "DEVICE", OUT_STRING, .width = 9 }, { "BACKEND", OUT_STRING, .width = 9 }, { "MODEL", OUT_STRING, .width = 17 },
	{ "STATE", OUT_STRING, .width = 7 }, { "REMARK", OUT_STRING }, { 0 }
};

struct watch {
	struct hwkey *hw;
	const struct args *args;
	struct out *out;
	const struct udev_module *udev;
	struct monitor *monitor;
	struct device *known[BACKENDS_MAX];	/* the devices of each backend when it was last looked at */
	struct err *e;
};

/* D as it is now; GONE: as it was. */
static int tell(struct watch *w, const char *what, const struct device *d, bool gone)
{
	char now[UTC_SIZE];
	int r = device_is_asked(d, w->args) ? utc_now(now, w->e) : 1;

	if (r != 0)
		return r < 0 ? r : 0;
	return out_row(w->out, (const char *const[]){
		now, what, d->id, d->backend->name, d->model[0] ? d->model : NULL, gone ? "gone" : device_state_name(d),
		d->why[0] && !gone ? d->why : NULL }, w->e);
}

/* The one called ID. Looked for from AT on first: both lists are nearly always in the same order. */
static struct device *find(struct device *list, struct device *at, const char *id)
{
	for (struct device *d = at; d; d = d->next)
		if (!strcmp(d->id, id))
			return d;
	for (struct device *d = list; d && d != at; d = d->next)
		if (!strcmp(d->id, id))
			return d;
	return NULL;
}

static bool is_same(const struct device *a, const struct device *b)
{
	return a->state == b->state && a->faulty == b->faulty && a->roles == b->roles && !strcmp(a->model, b->model) &&
	       !strcmp(a->why, b->why);
}

static int tell_changes(struct watch *w, struct device *old, struct device *new)
{
	struct device *at = old;
	int r = 0;

	for (struct device *d = new; r == 0 && d; d = d->next) {
		struct device *was = find(old, at, d->id);

		if (!was || !is_same(was, d))
			r = tell(w, was ? "change" : "add", d, false);
		at = was ? was->next : at;
	}
	at = new;
	for (struct device *d = old; r == 0 && d; d = d->next) {
		struct device *is = find(new, at, d->id);

		if (!is)
			r = tell(w, "remove", d, true);
		at = is ? is->next : at;
	}
	return r;
}

/* Looks again at the devices of backend I. FIRST: and tells nothing. */
static int look(struct watch *w, size_t i, bool first)
{
	struct device *now = NULL;
	struct err none = { 0 };
	int r = device_enumerate_backend(&w->hw->env, backends[i]->name, &now, &none);

	if (r < 0 && r != -ENODEV)
		return err_set(w->e, -r, "%s", none.msg);
	for (struct device *d = now; d; d = d->next)
		if (keystore_look(d, VERDICT_OK, d->why, sizeof(d->why)) == VERDICT_BAD)
			d->faulty = true;
	r = first ? 0 : tell_changes(w, w->known[i], now);
	device_free_list(w->known[i]);
	w->known[i] = now;
	return r;
}

static int look_at_all(struct watch *w, bool first)
{
	int r = 0;

	for (size_t i = 0; r == 0 && backends[i]; i++)
		r = look(w, i, first);
	return r;
}

/* At those of which an event may have come too early. */
static int look_again(struct watch *w)
{
	int r = 0;

	for (size_t i = 0; r == 0 && backends[i]; i++)
		if (backends[i]->subsystems && !backends[i]->notice)
			r = look(w, i, false);
	return r;
}

/* The device called ID in LIST is now NOW, whose place in the list is its own; NULL: it is gone. */
static void replace(struct device **list, const char *id, struct device *now)
{
	struct device *old;

	while (*list && strcmp((*list)->id, id) != 0)
		list = &(*list)->next;
	old = *list;
	if (now)
		now->next = old ? old->next : NULL;
	*list = now ? now : old ? old->next : NULL;
	if (old)
		old->next = NULL;
	device_free_list(old);
}

static int take_notice(struct watch *w, size_t i, const struct event *event)
{
	struct device *now = NULL;
	const struct device *was;
	struct notice n;
	int r = backends[i]->notice(&w->hw->env, event, &n, &now, w->e);

	if (r <= 0) {
		device_free_list(now);
		return r;
	}
	was = find(w->known[i], NULL, n.id);
	r = now || was ? tell(w, now ? n.what : "remove", now ? now : was, !now) : 0;
	replace(&w->known[i], n.id, now);
	return r;
}

static bool listens(const struct backend *b, const char *subsystem)
{
	for (size_t i = 0; b->subsystems && b->subsystems[i]; i++)
		if (!strcmp(b->subsystems[i], subsystem))
			return true;
	return false;
}

static int take_events(struct watch *w)
{
	struct event event;
	int r;

	while ((r = w->udev->next(w->monitor, &event, w->e)) > 0) {
		for (size_t i = 0; r >= 0 && backends[i]; i++)
			if (listens(backends[i], event.subsystem))
				r = backends[i]->notice ? take_notice(w, i, &event) : look(w, i, false);
		if (r < 0)
			return r;
	}
	return r == -ENOBUFS ? look_at_all(w, false) : r;
}

/* A descriptor that is readable when one of the signals came that end a program, if this one's parent lets them. */
static int catch_signals(struct err *e)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGTERM };
	sigset_t stop;
	int fd;

	(void)sigemptyset(&stop);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct sigaction old;

		if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			(void)sigaddset(&stop, ends[i]);
	}
	fd = signalfd(-1, &stop, SFD_CLOEXEC);
	(void)sigaddset(&stop, SIGPIPE);		/* is an error to write, EPIPE */
	if (fd < 0 || sigprocmask(SIG_BLOCK, &stop, NULL) < 0)
		return err_sys(e, "cannot wait for signals");
	return fd;
}

static long long milliseconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int wait_for_changes(struct watch *w, int stop, int interval)
{
	struct pollfd p[] = { { .fd = w->udev->fd(w->monitor), .events = POLLIN }, { .fd = stop, .events = POLLIN },
			      { .fd = STDOUT_FILENO } };
	long long next = milliseconds() + interval * 1000LL, settled = next;
	int r = 0;

	while (r == 0) {
		long long left = (settled < next ? settled : next) - milliseconds();

		if (poll(p, ARRAY_SIZE(p), left > 0 ? (int)left : 0) < 0 && errno != EINTR)
			return err_sys(w->e, "cannot wait for changes");
		if (p[1].revents || p[2].revents)
			return 0;
		if (p[0].revents) {
			r = take_events(w);
			settled = milliseconds() + SETTLED;
		}
		if (r == 0 && milliseconds() >= next) {
			r = look_at_all(w, false);
			settled = next = milliseconds() + interval * 1000LL;
		} else if (r == 0 && milliseconds() >= settled) {
			r = look_again(w);
			settled = next;
		}
	}
	return r;
}

static int open_monitor(struct watch *w)
{
	const char *subsystems[SUBSYSTEMS_MAX + 1] = { NULL };
	const void *module;
	size_t n = 0;
	int r = module_load("udev", &module, w->e);

	if (r < 0)
		return r;
	w->udev = module;
	for (size_t i = 0; backends[i]; i++)
		for (size_t k = 0; backends[i]->subsystems && backends[i]->subsystems[k] && n < SUBSYSTEMS_MAX; k++)
			subsystems[n++] = backends[i]->subsystems[k];
	return w->udev->open(&w->monitor, subsystems, sys_exists(&w->hw->env, "/run/udev/control"), w->e);
}

static int watch(struct watch *w, int interval)
{
	AUTO_CLOSE int stop = catch_signals(w->e);
	int r = stop < 0 ? stop : open_monitor(w);

	if (r == 0)
		r = look_at_all(w, true);
	w->hw->out.stream = true;
	if (r == 0)
		r = out_open(&w->out, "devices", columns, &w->hw->out, w->e);
	if (r == 0)
		r = wait_for_changes(w, stop, interval);
	if (r != -EPIPE)
		return r;
	__fpurge(stdout);
	*w->e = (struct err){ 0 };
	return 0;
}

int list_watch(struct hwkey *hw, const struct list_options *o, const struct args *args, struct err *e)
{
	struct watch w = { .hw = hw, .args = args, .e = e };
	long interval = INTERVAL;
	int r;

	if (hw->env.sysroot)
		return err_set(e, EINVAL, "a captured machine does not change: --watch looks at this one");
	if (o->interval && (text_number(o->interval, 10, &interval) < 0 || interval < 1 || interval > 86400))
		return err_set(e, EINVAL, "'%s' is no interval: 1 to 86400 seconds", o->interval);
	hw->env.partitions = true;
	r = watch(&w, (int)interval);
	out_free(w.out);
	for (size_t i = 0; i < BACKENDS_MAX; i++)
		device_free_list(w.known[i]);
	if (w.udev)
		w.udev->free(w.monitor);
	return r;
}
