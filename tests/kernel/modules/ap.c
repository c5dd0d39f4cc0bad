// SPDX-License-Identifier: GPL-2.0
/*
 * A simulated AP bus, for tests: /sys/bus/ap and /sys/devices/ap as on IBM Z. It knows the shape only. What devices there
 * are, which attributes they have, what those say and what writing to them does is asked of the program behind /dev/simz.
 */
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "simz.h"

/* ---- questions ---- */

struct question {
	struct list_head list;
	u64 id;
	enum simz_op op;
	const void *data;
	size_t len;
	void *answer;
	size_t room;
	int result;		/* the answer's length, or -errno */
	bool sent;
	struct completion done;
};

static DEFINE_MUTEX(lock);			/* of all that follows */
static LIST_HEAD(questions);
static DECLARE_WAIT_QUEUE_HEAD(asked);
static u64 last_id;
static bool program;				/* there is one behind the device */

int simz_ask(enum simz_op op, const void *data, size_t len, void *answer, size_t room)
{
	struct question q = { .op = op, .data = data, .len = len, .answer = answer, .room = room };
	long left;

	init_completion(&q.done);
	mutex_lock(&lock);
	if (!program) {
		mutex_unlock(&lock);
		return -ENODEV;
	}
	q.id = ++last_id;
	list_add_tail(&q.list, &questions);
	mutex_unlock(&lock);
	wake_up_interruptible(&asked);
	left = wait_for_completion_killable_timeout(&q.done, 30 * HZ);
	mutex_lock(&lock);
	if (!completion_done(&q.done) && left <= 0) {		/* nobody answers it any more */
		list_del(&q.list);
		q.result = left ? -EINTR : -ETIMEDOUT;
	}
	mutex_unlock(&lock);
	return q.result;
}
EXPORT_SYMBOL_GPL(simz_ask);

static void question_end(struct question *q, int result)
{
	q->result = result;
	list_del(&q->list);
	complete(&q->done);
}

static struct question *question_next(void)
{
	struct question *q;

	list_for_each_entry(q, &questions, list)
		if (!q->sent)
			return q;
	return NULL;
}

static int answer(const struct simz_message *m)
{
	struct question *q;

	list_for_each_entry(q, &questions, list) {
		if (q->id != m->id)
			continue;
		if (m->result >= 0 && m->len > q->room) {
			question_end(q, -EOVERFLOW);
			return -EOVERFLOW;
		}
		if (m->result >= 0)
			memcpy(q->answer, m->data, m->len);
		question_end(q, m->result < 0 ? m->result : (int)m->len);
		return 0;
	}
	return -ENOENT;			/* its asker was killed */
}

/* ---- devices ---- */

enum { ENV_MAX = 8 };

struct ap_device {
	struct device dev;
	struct list_head list;
	char *text;			/* the description, into which the names point */
	const char *driver, *env[ENV_MAX];
	unsigned int n_env, n_attrs;
	struct device_attribute *attrs;
	struct attribute **attr_list;
	struct attribute_group group;
	const struct attribute_group *groups[2];
};

static LIST_HEAD(devices);		/* changed by the program's own calls only */
static struct device *root;

static struct ap_device *to_ap(const struct device *dev) { return container_of(dev, struct ap_device, dev); }

static ssize_t ask_show(const char *device, const char *name, char *buf)
{
	char what[64];
	int n = scnprintf(what, sizeof(what), "%s%c%s", device, '\0', name) + 1;

	return simz_ask(SIMZ_SHOW, what, n, buf, PAGE_SIZE);
}

static ssize_t ask_store(const char *device, const char *name, const char *buf, size_t count)
{
	char *what = kmalloc(PAGE_SIZE + 64, GFP_KERNEL);
	int n, r;

	if (!what)
		return -ENOMEM;
	n = scnprintf(what, PAGE_SIZE + 64, "%s%c%s%c%s", device, '\0', name, '\0', buf) + 1;
	r = simz_ask(SIMZ_STORE, what, n, NULL, 0);
	kfree(what);
	return r < 0 ? r : count;
}

static ssize_t attr_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return ask_show(dev_name(dev), attr->attr.name, buf);
}

static int event_send(struct device *dev, void *event)
{
	char *env[] = { event, NULL };

	kobject_uevent_env(&dev->kobj, KOBJ_CHANGE, env);
	return 0;
}

static int event_send_driven(struct device *dev, void *event)
{
	return dev->driver && !strcmp(dev->driver->name, "cex4queue") ? event_send(dev, event) : 0;
}

/*
 * As the kernel's, a change of state is an event, of a card's queues too: those that zcrypt drives change with its online,
 * and all with its configuration, by the card itself or from outside. A check-stop is no event.
 */
static ssize_t attr_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	ssize_t r = ask_store(dev_name(dev), attr->attr.name, buf, count);
	bool online = !strcmp(attr->attr.name, "online"), outside = !strcmp(attr->attr.name, "sim") && !strncmp(buf, "config ", 7);
	char event[] = "ONLINE=?";

	if (r > 0 && (online || outside || !strcmp(attr->attr.name, "config"))) {
		scnprintf(event, sizeof(event), "%s=%c", online ? "ONLINE" : "CONFIG", outside ? buf[7] : buf[0]);
		event_send(dev, event);
		device_for_each_child(dev, event, online ? event_send_driven : event_send);
	}
	return r;
}

static void device_release(struct device *dev)
{
	struct ap_device *d = to_ap(dev);

	kfree(d->attr_list);
	kfree(d->attrs);
	kfree(d->text);
	kfree(d);
}

static void attr_add(struct ap_device *d, char *line)
{
	struct device_attribute *a = &d->attrs[d->n_attrs];
	char *mode = strsep(&line, " ");
	u16 bits;

	if (!line || kstrtou16(mode, 8, &bits))
		return;
	sysfs_attr_init(&a->attr);
	a->attr.name = line;
	a->attr.mode = bits;
	a->show = bits & 0444 ? attr_show : NULL;
	a->store = bits & 0222 ? attr_store : NULL;
	d->attr_list[d->n_attrs++] = &a->attr;
}

/* One line of the description: its first word says what the rest is. */
static void device_describe(struct ap_device *d, char *line)
{
	char *word = strsep(&line, " ");
	struct ap_device *p;

	if (!line)
		return;
	if (!strcmp(word, "name"))
		dev_set_name(&d->dev, "%s", line);
	else if (!strcmp(word, "driver"))
		d->driver = line;
	else if (!strcmp(word, "env") && d->n_env < ENV_MAX)
		d->env[d->n_env++] = line;
	else if (!strcmp(word, "attr"))
		attr_add(d, line);
	else if (!strcmp(word, "parent"))
		list_for_each_entry(p, &devices, list)
			if (!strcmp(dev_name(&p->dev), line))
				d->dev.parent = &p->dev;
}

static int device_match(struct device *dev, const struct device_driver *drv)
{
	return to_ap(dev)->driver && !strcmp(to_ap(dev)->driver, drv->name);
}

static int device_event(const struct device *dev, struct kobj_uevent_env *env)
{
	const struct ap_device *d = to_ap(dev);
	int r = 0;

	for (unsigned int i = 0; !r && i < d->n_env; i++)
		r = add_uevent_var(env, "%s", d->env[i]);
	return r;
}

/* ---- the bus ---- */

#define BUS_SHOW(name) \
	static ssize_t name##_show(const struct bus_type *bus, char *buf) { return ask_show("", #name, buf); }
#define BUS_STORE(name) \
	static ssize_t name##_store(const struct bus_type *bus, const char *buf, size_t n) \
	{ \
		return ask_store("", #name, buf, n); \
	}
#define BUS_RO(name) BUS_SHOW(name) static BUS_ATTR_RO(name)
#define BUS_RW(name) BUS_SHOW(name) BUS_STORE(name) static BUS_ATTR_RW(name)

BUS_RO(ap_adapter_mask);
BUS_RO(ap_control_domain_mask);
BUS_RW(ap_domain);
BUS_RO(ap_interrupts);
BUS_RO(ap_max_adapter_id);
BUS_RO(ap_max_domain_id);
BUS_RO(ap_usage_domain_mask);
BUS_RO(bindings);
BUS_RW(config_time);
BUS_RO(features);
BUS_RW(poll_thread);
BUS_RW(poll_timeout);

static struct attribute *bus_attrs[] = {
	&bus_attr_ap_adapter_mask.attr, &bus_attr_ap_control_domain_mask.attr, &bus_attr_ap_domain.attr,
	&bus_attr_ap_interrupts.attr, &bus_attr_ap_max_adapter_id.attr, &bus_attr_ap_max_domain_id.attr,
	&bus_attr_ap_usage_domain_mask.attr, &bus_attr_bindings.attr, &bus_attr_config_time.attr,
	&bus_attr_features.attr, &bus_attr_poll_thread.attr, &bus_attr_poll_timeout.attr, NULL,
};
ATTRIBUTE_GROUPS(bus);

static const struct bus_type ap_bus = {
	.name = "ap", .match = device_match, .uevent = device_event, .bus_groups = bus_groups,
};

static struct device_driver drivers[] = {
	{ .name = "cex4card", .bus = &ap_bus, .owner = THIS_MODULE },
	{ .name = "cex4queue", .bus = &ap_bus, .owner = THIS_MODULE },
	{ .name = "vfio_ap", .bus = &ap_bus, .owner = THIS_MODULE },
};

static int device_add_described(const struct simz_message *m)
{
	struct ap_device *d = kzalloc(sizeof(*d), GFP_KERNEL);
	unsigned int lines = 1;
	char *next, *line;
	int r;

	if (!d)
		return -ENOMEM;
	for (unsigned int i = 0; i < m->len; i++)
		lines += m->data[i] == '\n';
	d->text = kstrndup(m->data, m->len, GFP_KERNEL);
	d->attrs = kcalloc(lines, sizeof(*d->attrs), GFP_KERNEL);
	d->attr_list = kcalloc(lines + 1, sizeof(*d->attr_list), GFP_KERNEL);
	d->dev.parent = root;
	d->dev.bus = &ap_bus;
	d->dev.release = device_release;
	d->group.attrs = d->attr_list;
	d->groups[0] = &d->group;
	d->dev.groups = d->groups;
	device_initialize(&d->dev);
	next = d->text;
	if (!d->text || !d->attrs || !d->attr_list) {
		put_device(&d->dev);
		return -ENOMEM;
	}
	while ((line = strsep(&next, "\n")))
		device_describe(d, line);
	r = device_add(&d->dev);
	if (r)
		put_device(&d->dev);
	else
		list_add(&d->list, &devices);	/* children before their parents */
	return r;
}

/* ---- the device of the program ---- */

static int simz_open(struct inode *inode, struct file *file)
{
	int r = 0;

	mutex_lock(&lock);
	if (program)
		r = -EBUSY;
	program = true;
	mutex_unlock(&lock);
	return r;
}

static int simz_release(struct inode *inode, struct file *file)
{
	struct ap_device *d, *next;

	mutex_lock(&lock);
	program = false;
	while (!list_empty(&questions))
		question_end(list_first_entry(&questions, struct question, list), -ENODEV);
	mutex_unlock(&lock);
	list_for_each_entry_safe(d, next, &devices, list) {
		list_del(&d->list);
		device_unregister(&d->dev);
	}
	return 0;
}

static ssize_t simz_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct simz_message m = { 0 };
	struct question *q;
	ssize_t r;

	mutex_lock(&lock);
	q = question_next();
	if (!q) {
		mutex_unlock(&lock);
		return -EAGAIN;		/* poll() tells when */
	}
	m.id = q->id;
	m.op = q->op;
	m.len = q->len;
	r = sizeof(m) + q->len;
	if (size < r)
		r = -EMSGSIZE;
	else if (copy_to_user(buf, &m, sizeof(m)) || copy_to_user(buf + sizeof(m), q->data, q->len))
		r = -EFAULT;
	else
		q->sent = true;
	mutex_unlock(&lock);
	return r;
}

static ssize_t simz_write(struct file *file, const char __user *buf, size_t size, loff_t *pos)
{
	struct simz_message *m;
	int r;

	if (size < sizeof(*m) || size > sizeof(*m) + SIMZ_DATA_MAX)
		return -EINVAL;
	m = memdup_user(buf, size);
	if (IS_ERR(m))
		return PTR_ERR(m);
	if (m->len != size - sizeof(*m)) {
		r = -EINVAL;
	} else if (m->op == SIMZ_ANSWER) {
		mutex_lock(&lock);
		r = answer(m);
		mutex_unlock(&lock);
	} else {
		r = m->op == SIMZ_ADD ? device_add_described(m) : -EINVAL;
	}
	kfree_sensitive(m);
	return r ? r : size;
}

static __poll_t simz_poll(struct file *file, struct poll_table_struct *wait)
{
	__poll_t r = EPOLLOUT;

	poll_wait(file, &asked, wait);
	mutex_lock(&lock);
	if (question_next())
		r |= EPOLLIN;
	mutex_unlock(&lock);
	return r;
}

static const struct file_operations simz_fops = {
	.owner = THIS_MODULE, .open = simz_open, .release = simz_release, .read = simz_read, .write = simz_write,
	.poll = simz_poll,
};
static struct miscdevice simz = { .minor = MISC_DYNAMIC_MINOR, .name = "simz", .fops = &simz_fops, .mode = 0600 };

static void drivers_done(unsigned int n)
{
	while (n--)
		driver_unregister(&drivers[n]);
}

static int __init ap_init(void)
{
	unsigned int n = 0;
	int r;

	root = root_device_register("ap");
	if (IS_ERR(root))
		return PTR_ERR(root);
	r = bus_register(&ap_bus);
	if (r)
		goto no_bus;
	for (; !r && n < ARRAY_SIZE(drivers); n++)
		r = driver_register(&drivers[n]);
	if (r) {
		n--;
		goto no_drivers;
	}
	r = misc_register(&simz);
	if (!r)
		return 0;
no_drivers:
	drivers_done(n);
	bus_unregister(&ap_bus);
no_bus:
	root_device_unregister(root);
	return r;
}

static void __exit ap_exit(void)
{
	misc_deregister(&simz);
	drivers_done(ARRAY_SIZE(drivers));
	bus_unregister(&ap_bus);
	root_device_unregister(root);
}

module_init(ap_init);
module_exit(ap_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Simulated AP bus, for tests");
