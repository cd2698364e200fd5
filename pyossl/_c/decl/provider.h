#if HAVE_PROVIDERS
int OSSL_PROVIDER_set_default_search_path(OSSL_LIB_CTX *library, const char *path);
OSSL_PROVIDER *OSSL_PROVIDER_load(OSSL_LIB_CTX *library, const char *name);
int OSSL_PROVIDER_unload(OSSL_PROVIDER *provider);
const char *OSSL_PROVIDER_get0_name(const OSSL_PROVIDER *provider);
int OSSL_PROVIDER_available(OSSL_LIB_CTX *library, const char *name);
#endif
