using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Tests.Infrastructure.Ai;

public sealed class TokenEstimateTests
{
    [Theory]
    [InlineData("", 0)]
    [InlineData("a", 1)]
    [InlineData("abcd", 1)]
    [InlineData("abcde", 2)]
    public void Four_ASCII_characters_are_a_token(string text, int tokens) => Assert.Equal(tokens, TokenEstimate.Of(text));

    // Counted by js-tiktoken 1.0.21 with o200k_base.
    [Theory]
    [InlineData("English", 38, "A robot keeps its balance with the help of sensors in its feet and its hip. If the center of mass leaves the support polygon, it has to take a step, or it falls.")]
    [InlineData("Turkish", 46, "Robot, ayaklarındaki ve kalçasındaki sensörlerin yardımıyla dengesini korur. Kütle merkezi destek çokgeninin dışına çıkarsa bir adım atması gerekir, yoksa düşer.")]
    [InlineData("German", 39, "Der Roboter hält sein Gleichgewicht mit Sensoren in den Füßen und in der Hüfte. Verlässt der Schwerpunkt die Standfläche, muss er einen Schritt machen, sonst fällt er um.")]
    [InlineData("Greek", 71, "Το ρομπότ διατηρεί την ισορροπία του με τη βοήθεια αισθητήρων στα πόδια και στο ισχίο. Αν το κέντρο μάζας βγει έξω από το πολύγωνο στήριξης, πρέπει να κάνει ένα βήμα, αλλιώς πέφτει.")]
    [InlineData("Russian", 47, "Робот сохраняет равновесие с помощью датчиков в ступнях и в тазу. Если центр масс выходит за пределы опорного многоугольника, он должен сделать шаг, иначе он упадёт.")]
    [InlineData("Hebrew", 47, "הרובוט שומר על שיווי המשקל בעזרת חיישנים בכפות הרגליים ובאגן. אם מרכז המסה יוצא ממצולע התמיכה, עליו לעשות צעד, אחרת הוא ייפול.")]
    [InlineData("Arabic", 48, "يحافظ الروبوت على توازنه بمساعدة حساسات في قدميه وفي وركه. إذا خرج مركز الكتلة من مضلع الارتكاز فعليه أن يخطو خطوة، وإلا فإنه يسقط.")]
    [InlineData("Persian", 54, "ربات به کمک حسگرهایی که در پاها و لگن دارد تعادل خود را حفظ می‌کند. اگر مرکز جرم از چندضلعی تکیه‌گاه بیرون برود، باید یک گام بردارد وگرنه می‌افتد.")]
    [InlineData("Urdu", 60, "روبوٹ اپنے پیروں اور کولہے میں لگے سینسروں کی مدد سے اپنا توازن برقرار رکھتا ہے۔ اگر کمیت کا مرکز سہارے کے دائرے سے باہر نکل جائے تو اسے ایک قدم اٹھانا پڑتا ہے، ورنہ وہ گر جاتا ہے۔")]
    [InlineData("Hindi", 58, "रोबोट अपने पैरों और कूल्हे में लगे सेंसरों की मदद से अपना संतुलन बनाए रखता है। यदि द्रव्यमान केंद्र आधार के बाहर चला जाए, तो उसे एक कदम उठाना पड़ता है, नहीं तो वह गिर जाता है।")]
    [InlineData("Thai", 58, "หุ่นยนต์รักษาสมดุลด้วยความช่วยเหลือของเซ็นเซอร์ที่เท้าและสะโพก ถ้าจุดศูนย์กลางมวลออกนอกพื้นที่รองรับ มันต้องก้าวเท้า มิฉะนั้นมันจะล้ม")]
    [InlineData("Korean", 56, "로봇은 발과 골반에 있는 센서의 도움으로 균형을 유지한다. 질량 중심이 지지 다각형을 벗어나면 한 걸음을 내디뎌야 하며, 그러지 않으면 넘어진다.")]
    [InlineData("Japanese", 60, "ロボットは足と腰にあるセンサーの助けを借りてバランスを保つ。重心が支持多角形の外に出ると、一歩踏み出さなければならず、そうしなければ倒れてしまう。")]
    [InlineData("Chinese", 39, "机器人依靠脚部和髋部的传感器保持平衡。如果质心离开支撑多边形，它就必须迈出一步，否则就会摔倒。")]
    public void The_estimate_is_close_to_the_real_count_in_every_language(string language, int tokens, string text) =>
        Assert.True(TokenEstimate.Of(text) >= 0.9 * tokens && TokenEstimate.Of(text) <= 1.3 * tokens, $"{language}: {TokenEstimate.Of(text)} for {tokens}");

    [Fact]
    public void A_prefix_fits_and_is_never_empty_nor_half_a_character()
    {
        Assert.Equal(8, TokenEstimate.PrefixLength("abcdefghij", 2));
        Assert.Equal(3, TokenEstimate.PrefixLength("abc", 2));
        Assert.Equal(2, TokenEstimate.PrefixLength("🤖🤖", 0));
        Assert.Equal(2, TokenEstimate.PrefixLength("🤖🤖", 2));
    }
}
