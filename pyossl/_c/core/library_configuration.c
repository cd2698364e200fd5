/* A configuration file for one library context: config(5).
 *
 * OSSL_LIB_CTX_load_config(3) would apply all modules that the file names.  Some of them belong to the process, and not to
 * the library context: the settings of libssl (`ssl_conf`) would replace those of all other contexts, and new object
 * identifiers and engines would be everybody's (docs/pitfalls.md, 65).  So only the modules that belong to a library
 * context are applied: `providers`, `alg_section` and `random`.  From 4.0 on, `ssl_conf` belongs to a library context too:
 * then the policy of the system's file is applied to each.
 *
 * CONF_modules_load(3) reports success if the module of a provider cannot be loaded.  So each provider that the file
 * activates must be there afterwards. */

enum {
    PYOSSL_CONFIGURATION_APPLIED,
    PYOSSL_CONFIGURATION_MALFORMED,          /* the text cannot be parsed */
    PYOSSL_CONFIGURATION_WITHOUT_MODULES,    /* no `openssl_conf` names a section */
    PYOSSL_CONFIGURATION_REFUSED             /* a module failed, for example because a provider cannot be loaded */
};

#if COMPILES(HAVE_PROVIDERS)

static int pyossl_is_module(const char *module, const char *name)
{
    size_t length = strcspn(module, ".");    /* "providers.1" is the module "providers" too */

    return strlen(name) == length && strncmp(module, name, length) == 0;
}

static int pyossl_is_applied(const char *module, int only_policy)
{
    if (only_policy)
        return pyossl_is_module(module, "ssl_conf");
    return pyossl_is_module(module, "providers") || pyossl_is_module(module, "alg_section")
        || pyossl_is_module(module, "random");
}

/* Takes the modules that are not applied out of the section.  1: they are in `others`; 0: no memory. */
static int pyossl_set_modules_aside(STACK_OF(CONF_VALUE) *modules, STACK_OF(CONF_VALUE) *others, int only_policy)
{
    for (int n = sk_CONF_VALUE_num(modules) - 1; n >= 0; n--) {
        if (pyossl_is_applied(sk_CONF_VALUE_value(modules, n)->name, only_policy))
            continue;
        if (!sk_CONF_VALUE_push(others, sk_CONF_VALUE_value(modules, n)))
            return 0;
        sk_CONF_VALUE_delete(modules, n);
    }
    return 1;
}

static int pyossl_is_on(const char *value)
{
    return value != NULL && strcmp(value, "0") != 0 && strcasecmp(value, "no") != 0 && strcasecmp(value, "false") != 0
        && strcasecmp(value, "off") != 0;
}

/* Whether all providers that the section of modules activates are loaded; soft_load says that one may be missing. */
static int pyossl_has_its_providers(OSSL_LIB_CTX *library, CONF *configuration, const char *section)
{
    const char *list = NCONF_get_string(configuration, section, "providers");
    STACK_OF(CONF_VALUE) *providers = list == NULL ? NULL : NCONF_get_section(configuration, list);

    for (int n = 0; providers != NULL && n < sk_CONF_VALUE_num(providers); n++) {
        CONF_VALUE *provider = sk_CONF_VALUE_value(providers, n);
        const char *identity = NCONF_get_string(configuration, provider->value, "identity");
        const char *dot = strrchr(provider->name, '.');
        const char *name = identity != NULL ? identity : dot != NULL ? dot + 1 : provider->name;

        if (pyossl_is_on(NCONF_get_string(configuration, provider->value, "activate"))
            && !pyossl_is_on(NCONF_get_string(configuration, provider->value, "soft_load"))
            && OSSL_PROVIDER_available(library, name) != 1) {
            pyossl_clear_errors();
            (void)OSSL_PROVIDER_load(library, name);    /* gives the reason, and fails again */
            return OSSL_PROVIDER_available(library, name) == 1;
        }
    }
    return 1;
}

static int pyossl_apply_configuration(OSSL_LIB_CTX *library, CONF *configuration, int only_policy)
{
    const char *section = NCONF_get_string(configuration, NULL, "openssl_conf");
    STACK_OF(CONF_VALUE) *modules = section == NULL ? NULL : NCONF_get_section(configuration, section);
    STACK_OF(CONF_VALUE) *others;
    int result = PYOSSL_CONFIGURATION_REFUSED;

    if (modules == NULL)
        return PYOSSL_CONFIGURATION_WITHOUT_MODULES;
    others = sk_CONF_VALUE_new_null();
    if (others != NULL && pyossl_set_modules_aside(modules, others, only_policy)
        && CONF_modules_load(configuration, NULL, 0) > 0
        && (only_policy || pyossl_has_its_providers(library, configuration, section)))
        result = PYOSSL_CONFIGURATION_APPLIED;
    while (others != NULL && sk_CONF_VALUE_num(others) > 0) {    /* NCONF_free frees what is in the section */
        if (!sk_CONF_VALUE_push(modules, sk_CONF_VALUE_value(others, 0)))
            break;
        sk_CONF_VALUE_delete(others, 0);
    }
    sk_CONF_VALUE_free(others);
    return result;
}

static int pyossl_configure_of(OSSL_LIB_CTX *library, const char *text, int length, int only_policy)
{
    CONF *configuration = NCONF_new_ex(library, NULL);
    BIO *bio = BIO_new_mem_buf(text, length);
    int result = PYOSSL_CONFIGURATION_MALFORMED;
    long line = 0;

    if (configuration != NULL && bio != NULL && NCONF_load_bio(configuration, bio, &line) > 0)
        result = pyossl_apply_configuration(library, configuration, only_policy);
    BIO_free(bio);
    NCONF_free(configuration);
    return result;
}

#else

static int pyossl_configure_of(OSSL_LIB_CTX *library, const char *text, int length, int only_policy)
{
    (void)library;
    (void)text;
    (void)length;
    (void)only_policy;
    return PYOSSL_CONFIGURATION_REFUSED;
}

#endif

/* Applies a configuration, `length` bytes of text, to a library context; `only_policy`: that of libssl alone.  Returns
 * a constant of the enum above; the reason of a failure is in the error queue. */
static int pyossl_configure_library(OSSL_LIB_CTX *library, const char *text, int length, int only_policy)
{
    pyossl_clear_errors();
    return HAVE_PROVIDERS ? pyossl_configure_of(library, text, length, only_policy) : PYOSSL_CONFIGURATION_REFUSED;
}

/* What a configuration says, with the contents of the files that it includes and of the variables of the environment
 * that it names.  The caller frees the text; NULL: the configuration is malformed, or there is no memory. */
static char *pyossl_resolved_configuration(const char *text, int length)
{
    CONF *configuration = NCONF_new(NULL);
    BIO *bio = BIO_new_mem_buf(text, length), *out = BIO_new(BIO_s_mem());
    char *written, *copy = NULL;
    long line = 0, size;

    if (configuration != NULL && bio != NULL && out != NULL && NCONF_load_bio(configuration, bio, &line) > 0
        && NCONF_dump_bio(configuration, out) > 0) {
        size = BIO_get_mem_data(out, &written);
        copy = OPENSSL_strndup(written, (size_t)size);
    }
    BIO_free(out);
    BIO_free(bio);
    NCONF_free(configuration);
    pyossl_clear_errors();
    return copy;
}
