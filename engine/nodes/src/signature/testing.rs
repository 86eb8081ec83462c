//! Keys that were made for tests and protect nothing.

/// A private key.
pub(crate) const RSA_PRIVATE: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQCbs2kVES066VWF\n\
AIALjL40afQCJld2LFUm+dHc8v7V/aIlWErOw5ysMAfwAt3SdMjgQd/TV10IXj/O\n\
x/5h+m9ijUA3rOxqD0zvCaOn14S49Y/C8ka2+t6x/njX0VVs7CoI6iQFDax0RUXg\n\
9wpy6rUOn3jLUWE8Acm9F6fnALDjDP+puAmk3BVWG7Qy018cQrFGOOjfuVoEomCL\n\
q1bHVXeFmzsh6B8wVf2R+fjnnTDn+cBVyyIn8HMM1Cn1hNgSbthbC6zfAc/lXMTx\n\
721tXIUK6EypYvufqXL63t48AT0wJQpUSMc6t+bPy6F2LrNMxPthLawjuWbsG5Fb\n\
PJAIuY+LAgMBAAECggEABsAPxYIws/OSDk4+0S8V4/Qf/xGT57XQnPwdIvdFafOe\n\
7LazXUl2n42XPxPec4M2FR94SW7pw8dBITgH5OBmydW6u7hWzdrmiIp9upmJ0alJ\n\
fCV3ZM8sZVP5/83iQc44eFB4pU26B02TQZCUSPZLJKWVAl7/jy8oqS2aqJ7CVZxw\n\
l/qxsXhFRH6qh4ePbTETYrUd3erQRrnE+2TmBC9yeEsFs/aKm4eGmDN4WCulKn8v\n\
P3Yu90EAQ3g3sOEcSsCzFHHioA1hkU4ogKHGE5KNfWlKRNvm7ztDvzLwzVA2ruK+\n\
37+puJZILPcolf+BO6Cl90Rmnyc5nIztJdLniFgkyQKBgQDVhCw+jqY0C25Np+76\n\
hADxZD8Ehn5JbSwHIj9LEjGLjXedtb/26exB4Xf+jauZSNRXW0RKFlP3XSWDtDlL\n\
0ebEcIYWTER1G1U8oV688J8oy3hCnQECyd1MRLHN8ByhzJC6sAQqE1dbTHqZnkcJ\n\
vg5TdiOupx3lluQSx9DLkNarrwKBgQC6rk4Ng6wkBodwxUTXs1uBN+YyzAIki5c5\n\
N+3k+EmWwg97/ycDCBcjjEgcPFCKUAuZoDu9Qb2UmgCCmvZp4oGoO8hIGgfgOti1\n\
7JtB4/NWaExtU0ATCs9RzVI/yDQ0Su42x/AYqJFFmUignPvz4Mrf/mPu0+cHvme5\n\
o8AHxsDE5QKBgQDLfdidFl8YovxRTofYgg5UAXJ94aBiYoXflqgz5/cIRZ+G0z1N\n\
GcxtTXGLTYIJ6PtW9kizQ2xrCH9EcnNY64fAGG3yumVUJuSpkDI2aC2IN8M52WCp\n\
Q7KBicbbusfO/KPDCRYu85gCD3WZCtwxUM1ehe2j+unnclOUApPgLv4pSQKBgQCc\n\
Qw9ezJspRLXWtancjGvKDEqKtq4MfTRGVwSxJwwiP6rKdlfnd7w2q1QpHmuke0Ba\n\
hf+7ee4BF6/Zo3EkTM+PTQtnHzL8hQWlsrp7Ox4TdBaVZJw71E6aAK4aabEZHKet\n\
/0qAuYlwotBicUWNbNslCEIKRiIbH0yf3ev+FmaB6QKBgQCiqtXSnnM0AkKFPNE3\n\
GklrrQNgVymC4aOdWSnEZoO6OazlkeMNr7M977cX5YMewG+/JmFVHgD3yuAWScB3\n\
sDDnpoYDvk8yl4ebQQw14EB8OubEMWfZ1T/5UtzTpnW45Try+OD/fqwTOoCUZESw\n\
gibdR8zD2AFivRZkFR6aZZJDtw==\n\
-----END PRIVATE KEY-----";

/// Its public key.
pub(crate) const RSA_PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAm7NpFREtOulVhQCAC4y+\n\
NGn0AiZXdixVJvnR3PL+1f2iJVhKzsOcrDAH8ALd0nTI4EHf01ddCF4/zsf+Yfpv\n\
Yo1AN6zsag9M7wmjp9eEuPWPwvJGtvresf5419FVbOwqCOokBQ2sdEVF4PcKcuq1\n\
Dp94y1FhPAHJvRen5wCw4wz/qbgJpNwVVhu0MtNfHEKxRjjo37laBKJgi6tWx1V3\n\
hZs7IegfMFX9kfn4550w5/nAVcsiJ/BzDNQp9YTYEm7YWwus3wHP5VzE8e9tbVyF\n\
CuhMqWL7n6ly+t7ePAE9MCUKVEjHOrfmz8uhdi6zTMT7YS2sI7lm7BuRWzyQCLmP\n\
iwIDAQAB\n\
-----END PUBLIC KEY-----";

/// A private key of the curve P-256, in the form of SEC 1.
pub(crate) const EC_PRIVATE: &str = "\
-----BEGIN EC PRIVATE KEY-----\n\
MHcCAQEEIBMi8TSJqHQpXq5hgHsgyCNgTjtxDYerWh6RirBO7tNtoAoGCCqGSM49\n\
AwEHoUQDQgAE9nEycysweU0ZNIodzPf+Mei5Q+QruHus11B1yOzIYfR/TJHVrTjT\n\
lrfIweHXTujqmlmZ5wufA/oUSlSo818AXA==\n\
-----END EC PRIVATE KEY-----";

/// Its public key.
pub(crate) const EC_PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9nEycysweU0ZNIodzPf+Mei5Q+Qr\n\
uHus11B1yOzIYfR/TJHVrTjTlrfIweHXTujqmlmZ5wufA/oUSlSo818AXA==\n\
-----END PUBLIC KEY-----";
