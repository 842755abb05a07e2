/* Counts accepted mail of Postfix's log: the plainest records, and nothing else.

   The border is refusal. A record is counted here only if `parse` is sure of each byte of its line
   and everything it adds to is there already; at the first line that is otherwise, `scan` stops and
   Python goes on, which stays the reference for all of it (logparse.record.SENT). Nothing is kept
   between two calls, all state is the caller's dictionaries, and no byte behind the block is read. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define VERSION 1
#define DELAYS 5 /* whole, before the queue, in the queue, connect, send */
#define LONGEST_REPLY 999

typedef struct { const char *at, *end; } Text;

typedef struct {
    Text minute, relay, domain, delay[DELAYS];
} Record;

enum { DIGIT = 1, HEX = 2, LONG = 4, SECONDS = 8, STAMP = 16 };
static unsigned char kind[256];

static void learn(const char *bytes, unsigned char what) {
    for (; *bytes; bytes++)
        kind[(unsigned char)*bytes] |= what;
}

static int is(char byte, unsigned char what) { return kind[(unsigned char)byte] & what; }

static int word(const char **at, const char *end, const char *text, Py_ssize_t size) {
    if (end - *at < size || memcmp(*at, text, size) != 0)
        return 0;
    *at += size;
    return 1;
}
#define WORD(text) word(&at, end, text, sizeof(text) - 1)

/* As many bytes of a kind as there are; whether it is a number of them that may be. */
static int some(const char **at, const char *end, unsigned char what, int least, int most) {
    const char *begin = *at;
    while (*at < end && *at - begin <= most && is(**at, what))
        (*at)++;
    return *at - begin >= least && *at - begin <= most;
}

static int stamp(const char **from, const char *end, Text *minute) {
    const char *at = *from;
    minute->at = at;
    if (end - at < 20)
        return 0;
    if (at[0] >= 'A' && at[0] <= 'Z') { /* Feb  3 04:05:06 */
        if (at[1] < 'a' || at[1] > 'z' || at[2] < 'a' || at[2] > 'z' || at[3] != ' ')
            return 0;
        if ((at[4] != ' ' && !is(at[4], DIGIT)) || !is(at[5], DIGIT) || at[6] != ' ')
            return 0;
        for (int place = 7; place < 15; place++)
            if (!is(at[place], DIGIT) && at[place] != ':')
                return 0;
        minute->end = at + 12;
        *from = at + 15;
        return 1;
    }
    minute->end = at + 16; /* 2026-02-03T04:05:06.123456+01:00 */
    if (!some(&at, end, DIGIT, 4, 4) || !WORD("-") || !some(&at, end, STAMP, 13, 32))
        return 0;
    if (at < end && *at == 'Z')
        at++;
    *from = at;
    return 1;
}

/* " HOST NAME/AGENT[PID]: " */
static int frame(const char **from, const char *end) {
    const char *at = *from, *begin, *slash = NULL;
    if (!WORD(" "))
        return 0;
    for (begin = at; at < end && *at != ' ' && *at != '\n'; at++)
        ;
    if (at == begin || at[-1] == ':' || !WORD(" "))
        return 0;
    for (begin = at; at < end && *at != '[' && *at != ']' && *at != ' ' && *at != '\n'; at++)
        if (*at == '/' && slash == NULL)
            slash = at;
    if (slash == NULL || slash == begin || slash + 1 == at || !WORD("["))
        return 0;
    for (begin = at; at < end && is(*at, DIGIT); at++)
        ;
    if (at == begin || !WORD("]: "))
        return 0;
    *from = at;
    return 1;
}

static int queue_id(const char **from, const char *end) {
    const char *at = *from;
    if (some(&at, end, LONG, 10, 30) && WORD(": to=<"))
        return *from = at, 1;
    at = *from;
    if (some(&at, end, HEX, 5, 20) && WORD(": to=<"))
        return *from = at, 1;
    return 0;
}

static int address(const char **from, const char *end, Text *domain) {
    const char *at = *from;
    domain->at = at;
    for (; at < end && *at != '>'; at++) {
        if (*at == '<' || *at == '"' || *at == '\n')
            return 0;
        if (*at == '@')
            domain->at = at + 1;
    }
    domain->end = at;
    if (at == end)
        return 0;
    *from = at + 1;
    return 1;
}

static int seconds(const char **at, const char *end, Text *delay) {
    delay->at = *at;
    if (!some(at, end, SECONDS, 1, 20))
        return 0;
    delay->end = *at;
    return 1;
}

/* "250 …)" up to the end of the line */
static int reply(const char *at, const char *end) {
    const char *begin = at;
    if (!WORD("250 "))
        return 0;
    while (at < end && *at >= ' ' && *at <= '~')
        at++;
    if (at < end && *at != '\n')
        return 0;
    /* at least one byte that is no blank, then the parenthesis */
    return at - begin >= 6 && at - begin <= LONGEST_REPLY + 6 && at[-1] == ')' && at[-2] > ' ';
}

static int parse(const char *at, const char *end, Record *record) {
    Text other;
    if (!stamp(&at, end, &record->minute) || !frame(&at, end) || !queue_id(&at, end))
        return 0;
    if (!address(&at, end, &record->domain))
        return 0;
    if (WORD(", orig_to=<") && !address(&at, end, &other))
        return 0;
    if (!WORD(", relay="))
        return 0;
    for (record->relay.at = at; at < end && *at != ',' && *at != '\n'; at++)
        ;
    record->relay.end = at;
    if (record->relay.at == at || at == end || *at != ',')
        return 0;
    if (WORD(", conn_use=")) {
        const char *begin = at;
        while (at < end && is(*at, DIGIT))
            at++;
        if (at == begin)
            return 0;
    }
    if (!WORD(", delay=") || !seconds(&at, end, &record->delay[0]) || !WORD(", delays="))
        return 0;
    for (int part = 1; part < DELAYS; part++)
        if ((part > 1 && !WORD("/")) || !seconds(&at, end, &record->delay[part]))
            return 0;
    if (WORD(", tls=")) {
        const char *begin = at;
        while (at < end && *at != ',' && *at != ' ' && *at != '\n')
            at++;
        if (at == begin)
            return 0;
    }
    if (!WORD(", dsn=2.") || !some(&at, end, DIGIT, 1, 3) || !WORD("."))
        return 0;
    if (!some(&at, end, DIGIT, 1, 3) || !WORD(", status=sent ("))
        return 0;
    return reply(at, end);
}

static PyObject *bytes_of(Text text) {
    return PyBytes_FromStringAndSize(text.at, text.end - text.at);
}

/* What a dictionary has for a text: borrowed; NULL without an error where there is nothing. */
static PyObject *look(PyObject *known, Text text) {
    PyObject *key = bytes_of(text), *found;
    if (key == NULL)
        return NULL;
    found = PyDict_GetItemWithError(known, key);
    Py_DECREF(key);
    return found;
}

static int add(PyObject *counts, PyObject *key) {
    PyObject *known = PyDict_GetItemWithError(counts, key), *sum;
    long count = 0;
    int failed;
    if (known != NULL)
        count = PyLong_AsLong(known);
    if (PyErr_Occurred())
        return -1;
    sum = PyLong_FromLong(count + 1);
    if (sum == NULL)
        return -1;
    failed = PyDict_SetItem(counts, key, sum);
    Py_DECREF(sum);
    return failed;
}

static int add_text(PyObject *counts, Text text) {
    PyObject *key = bytes_of(text);
    int failed;
    if (key == NULL)
        return -1;
    failed = add(counts, key);
    Py_DECREF(key);
    return failed;
}

static int is_row(PyObject *row) {
    if (!PyTuple_Check(row) || PyTuple_GET_SIZE(row) != 2 + DELAYS)
        return 0;
    for (Py_ssize_t place = 0; place < 2 + DELAYS; place++)
        if (!PyDict_Check(PyTuple_GET_ITEM(row, place)))
            return 0;
    return 1;
}

/* 1: counted; 0: it is not for us; -1: an error. `row`: hours, domains, delays */
static int count(const Record *record, PyObject *relays, PyObject *minutes) {
    PyObject *row = look(relays, record->relay), *hour = NULL, *domain;
    int failed;
    if (row != NULL && !is_row(row)) {
        PyErr_SetString(PyExc_TypeError, "a row must be a tuple of seven dictionaries");
        return -1;
    }
    if (row != NULL)
        hour = look(minutes, record->minute);
    if (hour == NULL)
        return PyErr_Occurred() ? -1 : 0;
    domain = bytes_of(record->domain);
    if (domain == NULL)
        return -1;
    failed = PyDict_Contains(PyTuple_GET_ITEM(row, 1), domain);
    if (failed == 1)
        failed = add(PyTuple_GET_ITEM(row, 1), domain);
    else
        failed = failed == 0 ? 1 : -1; /* a new domain is not for us */
    Py_DECREF(domain);
    if (failed != 0)
        return failed < 0 ? -1 : 0;
    failed = add(PyTuple_GET_ITEM(row, 0), hour);
    for (int part = 0; part < DELAYS && failed == 0; part++)
        failed = add_text(PyTuple_GET_ITEM(row, 2 + part), record->delay[part]);
    return failed == 0 ? 1 : -1;
}

static PyObject *scan(PyObject *module, PyObject *arguments) {
    PyObject *block, *places, *relays, *minutes;
    Py_ssize_t index;
    Record record;
    if (!PyArg_ParseTuple(arguments, "SO!nO!O!", &block, &PyList_Type, &places, &index,
                          &PyDict_Type, &relays, &PyDict_Type, &minutes))
        return NULL;
    const char *text = PyBytes_AS_STRING(block), *end = text + PyBytes_GET_SIZE(block);
    for (; index >= 0 && index < PyList_GET_SIZE(places); index++) {
        Py_ssize_t place = PyLong_AsSsize_t(PyList_GET_ITEM(places, index));
        if (place < 0 || place >= end - text) {
            if (PyErr_Occurred())
                return NULL;
            break;
        }
        if (!parse(text + place, end, &record))
            break;
        int counted = count(&record, relays, minutes);
        if (counted < 0)
            return NULL;
        if (!counted)
            break;
    }
    return PyLong_FromSsize_t(index);
}

static PyObject *look_at(PyObject *module, PyObject *arguments) {
    PyObject *block, *found;
    Py_ssize_t place;
    Record record;
    if (!PyArg_ParseTuple(arguments, "Sn", &block, &place))
        return NULL;
    const char *text = PyBytes_AS_STRING(block), *end = text + PyBytes_GET_SIZE(block);
    if (place < 0 || place > end - text || !parse(text + place, end, &record))
        Py_RETURN_NONE;
    found = PyTuple_New(3 + DELAYS);
    Text parts[3] = {record.minute, record.relay, record.domain};
    for (int part = 0; found != NULL && part < 3 + DELAYS; part++) {
        PyObject *value = bytes_of(part < 3 ? parts[part] : record.delay[part - 3]);
        if (value == NULL)
            Py_CLEAR(found);
        else
            PyTuple_SET_ITEM(found, part, value);
    }
    return found;
}

static PyMethodDef methods[] = {
    {"scan", scan, METH_VARARGS, "Counts records; the index of the first place that it did not."},
    {"parse", look_at, METH_VARARGS, "What `scan` reads of a record, for tests."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", NULL, 0, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void) {
    PyObject *module = PyModule_Create(&definition);
    learn("0123456789", DIGIT | HEX | LONG | SECONDS | STAMP);
    learn("ABCDEF", HEX);
    learn("BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz", LONG);
    learn(".", SECONDS);
    learn(":.T+-", STAMP);
    if (module != NULL && PyModule_AddIntConstant(module, "VERSION", VERSION) < 0)
        Py_CLEAR(module);
    return module;
}
