/* The facts of a certificate that ssl.SSLSocket.getpeercert() returns, written in one call.
 *
 * C writes them in the format of Python's `marshal`, from which Python makes the dictionary in one call too.  Each value
 * begins with the letter of its kind; lengths and counts are little-endian:
 *
 *     {  pairs of key and value, up to 0       (  count in 4 bytes, items       i  number in 4 bytes
 *     z  length in 1 byte, ASCII               Z  the same, for strings that Python keeps one of
 *     u  length in 4 bytes, UTF-8              s  length in 4 bytes, bytes
 *
 * The text of a certificate is a stranger's: it is only ever written behind its length.
 *
 * The writer counts on when its room is used up, so that the caller can come again with enough.  A part of an extension
 * that cannot be decoded is left out, as if the extension were not there. */

typedef struct {
    unsigned char *out;
    size_t room;
    size_t size;      /* of all that was written, or would have been */
    int failed;       /* PYOSSL_FACTS_x, if it is not 0 */
} pyossl_facts;

enum {
    PYOSSL_FACTS_ERROR = -1,      /* OpenSSL failed: the reason is in its queue */
    PYOSSL_FACTS_TEXT = -2        /* a text is not UTF-8 */
};

static void pyossl_put(pyossl_facts *facts, const void *data, size_t size)
{
    if (size > 0 && facts->size <= facts->room && size <= facts->room - facts->size)
        memcpy(facts->out + facts->size, data, size);
    facts->size += size;
}

static void pyossl_put_number(pyossl_facts *facts, unsigned char kind, uint32_t number)
{
    unsigned char bytes[5] = {kind, number & 0xFF, number >> 8 & 0xFF, number >> 16 & 0xFF, number >> 24};

    pyossl_put(facts, bytes, sizeof(bytes));
}

/* Begins a tuple.  Its length is written by pyossl_end_tuple, to which the result is passed. */
static size_t pyossl_begin_tuple(pyossl_facts *facts)
{
    size_t place = facts->size;

    pyossl_put_number(facts, '(', 0);
    return place;
}

static void pyossl_end_tuple(pyossl_facts *facts, size_t place, uint32_t count)
{
    size_t end = facts->size;

    facts->size = place;
    pyossl_put_number(facts, '(', count);
    facts->size = end;
}

/* Whether the bytes are UTF-8 as Python reads it: no surrogates, no overlong forms, nothing above U+10FFFF. */
static int pyossl_is_utf8(const unsigned char *text, size_t size)
{
    for (size_t n = 0; n < size;) {
        unsigned char first = text[n++];
        unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
        unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        int more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;

        if (more == 0)
            continue;
        if (first < 0xC2 || first > 0xF4 || size - n < (size_t)more || text[n] < low || text[n] > high)
            return 0;
        for (n++; --more > 0; n++)
            if (text[n] < 0x80 || text[n] > 0xBF)
                return 0;
    }
    return 1;
}

static void pyossl_put_text(pyossl_facts *facts, const void *text, size_t size)
{
    const unsigned char *bytes = text;
    unsigned char any = 0;

    for (size_t n = 0; n < size; n++)
        any |= bytes[n];
    if (any < 0x80 && size <= 255) {
        unsigned char head[2] = {'z', (unsigned char)size};
        pyossl_put(facts, head, sizeof(head));
    } else {
        if (any >= 0x80 && !pyossl_is_utf8(bytes, size))
            facts->failed = PYOSSL_FACTS_TEXT;
        pyossl_put_number(facts, 'u', (uint32_t)size);
    }
    pyossl_put(facts, text, size);
}

/* A key of the dictionary, or another string that many certificates have. */
static void pyossl_put_common(pyossl_facts *facts, const char *text)
{
    unsigned char head[2] = {'Z', (unsigned char)strlen(text)};

    pyossl_put(facts, head, sizeof(head));
    pyossl_put(facts, text, head[1]);
}

static void pyossl_put_string(pyossl_facts *facts, const ASN1_STRING *string)
{
    int size = ASN1_STRING_length(string);

    pyossl_put_text(facts, ASN1_STRING_get0_data(string), size < 0 ? 0 : (size_t)size);
}

/* The long name of an object, or its number. */
static void pyossl_put_object(pyossl_facts *facts, const ASN1_OBJECT *object)
{
    char room[128], *text = room;
    int nid = OBJ_obj2nid(object), size;
    const char *name = nid == NID_undef ? NULL : OBJ_nid2ln(nid);

    if (name != NULL && strlen(name) <= 255) {
        pyossl_put_common(facts, name);
        return;
    }
    size = OBJ_obj2txt(text, sizeof(room), object, 0);
    if (size >= (int)sizeof(room) && (text = malloc((size_t)size + 1)) != NULL)
        size = OBJ_obj2txt(text, size + 1, object, 0);
    if (size < 0 || text == NULL)
        facts->failed = PYOSSL_FACTS_ERROR;
    else
        pyossl_put_text(facts, text, (size_t)size);
    if (text != room)
        free(text);
}

/* Whether a string of a name is ASCII in one byte for each character. */
static int pyossl_is_plain(const ASN1_STRING *string)
{
    const unsigned char *bytes = ASN1_STRING_get0_data(string);
    int type = ASN1_STRING_type(string), size = ASN1_STRING_length(string);
    unsigned char any = 0;

    for (int n = 0; n < size; n++)
        any |= bytes[n];
    return any < 0x80
        && (type == V_ASN1_UTF8STRING || type == V_ASN1_PRINTABLESTRING || type == V_ASN1_IA5STRING);
}

/* A name: a tuple of its relative distinguished names, each a tuple of pairs.  A bit string is bytes. */
static void pyossl_put_name(pyossl_facts *facts, const X509_NAME *name)
{
    size_t all = pyossl_begin_tuple(facts), part = 0;
    uint32_t parts = 0, pairs = 0;
    int set = -1, count = X509_NAME_entry_count((X509_NAME *)name);

    for (int n = 0; n < count; n++) {
        X509_NAME_ENTRY *entry = (X509_NAME_ENTRY *)X509_NAME_get_entry((X509_NAME *)name, n);
        const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
        unsigned char *text = NULL;
        int size;

        if (set != X509_NAME_ENTRY_set(entry)) {
            set = X509_NAME_ENTRY_set(entry);
            if (parts++ > 0)
                pyossl_end_tuple(facts, part, pairs);
            part = pyossl_begin_tuple(facts);
            pairs = 0;
        }
        pairs++;
        pyossl_put_number(facts, '(', 2);
        pyossl_put_object(facts, X509_NAME_ENTRY_get_object(entry));
        if (ASN1_STRING_type(value) == V_ASN1_BIT_STRING) {
            pyossl_put_number(facts, 's', (uint32_t)ASN1_STRING_length(value));
            pyossl_put(facts, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
        } else if (pyossl_is_plain(value)) {
            pyossl_put_string(facts, value);
        } else {
            size = ASN1_STRING_to_UTF8(&text, value);
            if (size < 0) {
                facts->failed = PYOSSL_FACTS_ERROR;
                return;
            }
            pyossl_put_text(facts, text, (size_t)size);
            OPENSSL_free(text);
        }
    }
    if (parts > 0)
        pyossl_end_tuple(facts, part, pairs);
    pyossl_end_tuple(facts, all, parts);
}

/* A number in hexadecimal digits, two for each byte, after a sign. */
static void pyossl_put_serial_number(pyossl_facts *facts, const ASN1_INTEGER *number)
{
    static const char digits[] = "0123456789ABCDEF";
    const unsigned char *bytes = ASN1_STRING_get0_data(number);
    int size = ASN1_STRING_length(number), is_negative = (ASN1_STRING_type(number) & V_ASN1_NEG) != 0;
    size_t length = is_negative + 2 * (size_t)(size < 1 ? 1 : size);

    if (length <= 255) {
        unsigned char head[2] = {'z', (unsigned char)length};
        pyossl_put(facts, head, sizeof(head));
    } else {
        pyossl_put_number(facts, 'u', (uint32_t)length);
    }
    if (is_negative)
        pyossl_put(facts, "-", 1);
    if (size < 1)
        pyossl_put(facts, "00", 2);
    for (int n = 0; n < size; n++) {
        char both[2] = {digits[bytes[n] >> 4], digits[bytes[n] & 15]};
        pyossl_put(facts, both, sizeof(both));
    }
}

/* What `print` writes, as text.  A part up to the first colon comes first, if `is_pair`. */
static void pyossl_put_printed(pyossl_facts *facts, int (*print)(BIO *out, const void *value), const void *value,
                               int is_pair)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;
    long size;

    if (out == NULL) {
        facts->failed = PYOSSL_FACTS_ERROR;
        return;
    }
    (void)print(out, value);
    size = BIO_get_mem_data(out, &text);
    if (is_pair) {
        const char *colon = size > 0 ? memchr(text, ':', (size_t)size) : NULL;
        size_t before = colon == NULL ? (size_t)size : (size_t)(colon - text);
        pyossl_put_text(facts, text, before);
        if (colon != NULL)
            pyossl_put_text(facts, colon + 1, (size_t)size - before - 1);
        else
            pyossl_put_text(facts, "", 0);
    } else {
        pyossl_put_text(facts, text, (size_t)size);
    }
    BIO_free(out);
}

static int pyossl_print_time(BIO *out, const void *time)
{
    return ASN1_TIME_print(out, time);
}

static int pyossl_print_general_name(BIO *out, const void *name)
{
    return GENERAL_NAME_print(out, (GENERAL_NAME *)name);
}

static void pyossl_put_digits(char *out, int number)
{
    out[0] = (char)('0' + number / 10 % 10);
    out[1] = (char)('0' + number % 10);
}

/* A time as ASN1_TIME_print(3) writes it, which takes long: for a plain time with seconds and a Z it is written here. */
static void pyossl_put_time(pyossl_facts *facts, const ASN1_TIME *time)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const unsigned char *data = ASN1_STRING_get0_data(time);
    int length = ASN1_STRING_length(time);
    char text[] = "Mon DD HH:MM:SS YYYY GMT";
    struct tm parts;

    if ((length != 13 && length != 15) || data[length - 1] != 'Z' || ASN1_TIME_to_tm(time, &parts) != 1) {
        pyossl_put_printed(facts, pyossl_print_time, time, 0);
        return;
    }
    memcpy(text, months + 3 * parts.tm_mon, 3);
    pyossl_put_digits(text + 4, parts.tm_mday);
    if (parts.tm_mday < 10)
        text[4] = ' ';
    pyossl_put_digits(text + 7, parts.tm_hour);
    pyossl_put_digits(text + 10, parts.tm_min);
    pyossl_put_digits(text + 13, parts.tm_sec);
    pyossl_put_digits(text + 16, (parts.tm_year + 1900) / 100);
    pyossl_put_digits(text + 18, parts.tm_year + 1900);
    pyossl_put_text(facts, text, sizeof(text) - 1);
}

static void pyossl_put_address(pyossl_facts *facts, const ASN1_STRING *address)
{
    const unsigned char *bytes = ASN1_STRING_get0_data(address);
    char text[48] = "<invalid>";

    if (ASN1_STRING_length(address) == 4)
        snprintf(text, sizeof(text), "%d.%d.%d.%d", bytes[0], bytes[1], bytes[2], bytes[3]);
    if (ASN1_STRING_length(address) == 16) {
        char *end = text;
        for (int n = 0; n < 16; n += 2)
            end += snprintf(end, 6, n == 0 ? "%X" : ":%X", bytes[n] << 8 | bytes[n + 1]);
    }
    pyossl_put_text(facts, text, strlen(text));
}

static void pyossl_put_general_name(pyossl_facts *facts, const GENERAL_NAME *name)
{
    char number[256];
    int size;

    pyossl_put_number(facts, '(', 2);
    switch (name->type) {
    case GEN_DIRNAME:
        pyossl_put_common(facts, "DirName");
        pyossl_put_name(facts, name->d.directoryName);
        break;
    case GEN_EMAIL:
    case GEN_DNS:
    case GEN_URI:
        pyossl_put_common(facts, name->type == GEN_EMAIL ? "email" : name->type == GEN_DNS ? "DNS" : "URI");
        pyossl_put_string(facts, name->d.ia5);
        break;
    case GEN_IPADD:
        pyossl_put_common(facts, "IP Address");
        pyossl_put_address(facts, name->d.iPAddress);
        break;
    case GEN_RID:
        pyossl_put_common(facts, "Registered ID");
        size = i2t_ASN1_OBJECT(number, sizeof(number), name->d.rid);
        if (size < 0)
            facts->failed = PYOSSL_FACTS_ERROR;
        else if (size >= (int)sizeof(number))
            pyossl_put_text(facts, "<INVALID>", 9);
        else
            pyossl_put_text(facts, number, (size_t)size);
        break;
    default:
        pyossl_put_printed(facts, pyossl_print_general_name, name, 1);
    }
}

static void pyossl_put_alternative_names(pyossl_facts *facts, const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int count = sk_GENERAL_NAME_num(names);

    if (names == NULL)
        return;
    pyossl_put_common(facts, "subjectAltName");
    pyossl_put_number(facts, '(', (uint32_t)count);
    for (int n = 0; n < count; n++)
        pyossl_put_general_name(facts, sk_GENERAL_NAME_value(names, n));
    GENERAL_NAMES_free(names);
}

/* The URIs at which an access method is found, if there are any. */
static void pyossl_put_access(pyossl_facts *facts, const char *key, const AUTHORITY_INFO_ACCESS *info, int method)
{
    size_t before = facts->size, place;
    uint32_t count = 0;

    pyossl_put_common(facts, key);
    place = pyossl_begin_tuple(facts);
    for (int n = 0; n < sk_ACCESS_DESCRIPTION_num(info); n++) {
        const ACCESS_DESCRIPTION *each = sk_ACCESS_DESCRIPTION_value(info, n);
        if (each->location->type != GEN_URI || OBJ_obj2nid(each->method) != method)
            continue;
        pyossl_put_string(facts, each->location->d.uniformResourceIdentifier);
        count++;
    }
    pyossl_end_tuple(facts, place, count);
    if (count == 0)
        facts->size = before;
}

/* The URIs at which CRLs are found, if there are any. */
static void pyossl_put_crl_uris(pyossl_facts *facts, const X509 *certificate)
{
    CRL_DIST_POINTS *points = X509_get_ext_d2i(certificate, NID_crl_distribution_points, NULL, NULL);
    size_t before = facts->size, place;
    uint32_t count = 0;

    pyossl_put_common(facts, "crlDistributionPoints");
    place = pyossl_begin_tuple(facts);
    for (int n = 0; n < sk_DIST_POINT_num(points); n++) {
        const DIST_POINT_NAME *point = sk_DIST_POINT_value(points, n)->distpoint;
        const GENERAL_NAMES *names = point == NULL || point->type != 0 ? NULL : point->name.fullname;
        for (int m = 0; m < sk_GENERAL_NAME_num(names); m++) {
            const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, m);
            if (name->type != GEN_URI)
                continue;
            pyossl_put_string(facts, name->d.uniformResourceIdentifier);
            count++;
        }
    }
    pyossl_end_tuple(facts, place, count);
    if (count == 0)
        facts->size = before;
    CRL_DIST_POINTS_free(points);
}

/* Writes the facts of a certificate into `room` bytes.  Returns their size, which is more than `room` if they do not
 * fit; below 0: PYOSSL_FACTS_x. */
static long long pyossl_certificate_facts(const X509 *certificate, unsigned char *out, size_t room)
{
    pyossl_facts facts = {.out = out, .room = room};
    AUTHORITY_INFO_ACCESS *info;

    pyossl_clear_errors();
    pyossl_put(&facts, "{", 1);
    pyossl_put_common(&facts, "subject");
    pyossl_put_name(&facts, X509_get_subject_name(certificate));
    pyossl_put_common(&facts, "issuer");
    pyossl_put_name(&facts, X509_get_issuer_name(certificate));
    pyossl_put_common(&facts, "version");
    pyossl_put_number(&facts, 'i', (uint32_t)X509_get_version(certificate) + 1);
    pyossl_put_common(&facts, "serialNumber");
    pyossl_put_serial_number(&facts, X509_get0_serialNumber(certificate));
    pyossl_put_common(&facts, "notBefore");
    pyossl_put_time(&facts, X509_get0_notBefore(certificate));
    pyossl_put_common(&facts, "notAfter");
    pyossl_put_time(&facts, X509_get0_notAfter(certificate));
    pyossl_put_alternative_names(&facts, certificate);
    info = X509_get_ext_d2i(certificate, NID_info_access, NULL, NULL);
    pyossl_put_access(&facts, "OCSP", info, NID_ad_OCSP);
    pyossl_put_access(&facts, "caIssuers", info, NID_ad_ca_issuers);
    AUTHORITY_INFO_ACCESS_free(info);
    pyossl_put_crl_uris(&facts, certificate);
    pyossl_put(&facts, "0", 1);
    if (facts.failed != PYOSSL_FACTS_ERROR)
        pyossl_clear_errors();    /* of extensions that were left out */
    return facts.failed != 0 ? facts.failed : (long long)facts.size;
}
