// expect: INVALID_RESULT|SCRIPT_ERROR
const { proxy, revoke } = Proxy.revocable({}, {});
revoke();
return [proxy];
