/**
 * A certificate for localhost and its key, made for these tests and not trusted by any system. It expires in 2126:
 * `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost
 * -addext subjectAltName=DNS:localhost,IP:127.0.0.1`
 */
export const localhostTls = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNIjEpo2f+ZcusJo5
5YyTwcCwvAiAkDg/VChQPGTFExahRANCAARjalK9uaP0WTyMqkwwVGx8QMYtLc7j
zch2lodJX6NWpCXw4SPc7owyMJYT1SgfmduY8xyms5Nc+0gJVJ2sWaW/
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUSFI0DKtkqsOKoACzDen8ZLqbhK0wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTA5NDUyNVoYDzIxMjYxMDI4
MDk0NTI1WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARjalK9uaP0WTyMqkwwVGx8QMYtLc7jzch2lodJX6NWpCXw4SPc7owy
MJYT1SgfmduY8xyms5Nc+0gJVJ2sWaW/o28wbTAdBgNVHQ4EFgQUf7vc0/p4IySV
Fm0mhgCZ1/z+AUswHwYDVR0jBBgwFoAUf7vc0/p4IySVFm0mhgCZ1/z+AUswDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgMo2OF29SSTPOVYgQIQobudDj3V7IHtu3qnFHbFVuoxgCIEID
b7SszPWet3wtw3Djq+TaGrLkOPRBg6ndyFM0Moel
-----END CERTIFICATE-----`,
};
