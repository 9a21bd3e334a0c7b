// expect: value: "\u202eabc"
return "‮abc"; // ⁦ nothing hidden here ⁩
