UI_METHOD *UI_UTIL_wrap_read_pem_callback(pem_password_cb *callback, int writing);
void UI_destroy_method(UI_METHOD *method);
