/* Facts about the OpenSSL in use: the paths of its libraries, its loaded providers, and whether FIPS mode is on. */

typedef struct {
    char name[64];
    char title[128];
    char version[64];
    int active;    /* its own status; 0 for a FIPS provider that failed its self test */
} pyossl_provider;

/* From the dynamic linker: the path that belongs to the headers is only the expected one. */
static const char *pyossl_file_of(void *function)
{
    Dl_info found;
    return dladdr(function, &found) ? found.dli_fname : NULL;
}

static const char *pyossl_ssl_library(void)
{
    return pyossl_file_of((void *)SSL_new);
}

static const char *pyossl_crypto_library(void)
{
    return pyossl_file_of((void *)OpenSSL_version_num);
}

static const char *pyossl_headers(void)
{
    return OPENSSL_VERSION_TEXT;
}

/* Whether the library in use is of a newer release than the headers, and may have more than they declare. */
static int pyossl_is_newer_than_headers(void)
{
    return PYOSSL_RELEASE(pyossl_version) > PYOSSL_RELEASE(PYOSSL_HEADERS_NUMBER);
}

#if COMPILES(HAVE_PROVIDERS)

typedef struct {
    pyossl_provider *providers;
    int room, count;
} pyossl_provider_list;

static int pyossl_take_provider(OSSL_PROVIDER *provider, void *argument)
{
    pyossl_provider_list *list = argument;
    pyossl_provider *target;
    char *title = NULL, *version = NULL;
    OSSL_PARAM parameters[4];

    if (list->count == list->room)
        return 1;
    target = &list->providers[list->count++];
    target->active = 0;
    parameters[0] = OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_NAME, &title, 0);
    parameters[1] = OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_VERSION, &version, 0);
    parameters[2] = OSSL_PARAM_construct_int(OSSL_PROV_PARAM_STATUS, &target->active);
    parameters[3] = OSSL_PARAM_construct_end();
    if (!OSSL_PROVIDER_get_params(provider, parameters))
        target->active = 0;
    pyossl_copy(target->name, sizeof(target->name), OSSL_PROVIDER_get0_name(provider));
    pyossl_copy(target->title, sizeof(target->title), title);
    pyossl_copy(target->version, sizeof(target->version), version);
    return 1;
}

/* Writes at most `room` of the providers that a library context has loaded to `providers` and returns their number.
 * NULL is the default library context. */
static int pyossl_providers(OSSL_LIB_CTX *library, pyossl_provider *providers, int room)
{
    pyossl_provider_list list = { providers, room, 0 };
    if (!HAVE_PROVIDERS)
        return 0;
    return OSSL_PROVIDER_do_all(library, pyossl_take_provider, &list) ? list.count : 0;
}

#else

static int pyossl_providers(OSSL_LIB_CTX *library, pyossl_provider *providers, int room)
{
    (void)library;
    (void)providers;
    (void)room;
    return 0;
}

#endif

static int pyossl_fips(OSSL_LIB_CTX *library)
{
    return EVP_default_properties_is_fips_enabled(library);
}
