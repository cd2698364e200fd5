UI_METHOD *UI_UTIL_wrap_read_pem_callback(pem_password_cb *callback, int writing);
const UI_METHOD *UI_get_default_method(void);
void UI_set_default_method(const UI_METHOD *method);
const UI_METHOD *UI_null(void);
void UI_destroy_method(UI_METHOD *method);
