using ChatBackend.Features.Chat.Answering;
using ChatBackend.Tests.Infrastructure.Ai.Offline;

namespace ChatBackend.Tests.Features.Chat.Answering;

public sealed class CitationCheckTests
{
    /// <summary>Three passages on one subject for each language: they share its words, and each says something else about it.</summary>
    private static readonly Dictionary<string, (string Question, string[] Passages)> Books = new()
    {
        ["en"] = ("How do nodes use topics?",
        [
            "Two nodes talk over a topic: one node publishes messages, and the other nodes subscribe to the topic.",
            "A topic has a queue for its nodes. Its default depth is 10 messages, and `make_queue` sets another one.",
            "The nodes of a topic need compatible settings: who wants reliable delivery does not hear best effort. Since 2019 URDF is read, too.",
        ]),
        ["tr"] = ("Düğümler konuları nasıl kullanır?",
        [
            "İki düğüm bir konu üzerinden konuşur: biri ileti yayımlar, öteki düğümler o konuya abone olur.",
            "Bir konunun düğümleri için bir kuyruğu vardır. Varsayılan derinliği 10 iletidir.",
            "Bir konunun düğümleri uyumlu ayarlar ister: güvenilir bir abone, en iyi çabayla yayımlayanı duymaz.",
        ]),
        ["ar"] = ("كيف تستخدم العقد المواضيع؟",
        [
            "تتحدث عقدتان عبر موضوع: تنشر عقدة الرسائل وتشترك العقد الأخرى في الموضوع.",
            "للموضوع طابور لعقده، وعمقه الافتراضي ١٠ رسائل.",
            "تحتاج عقد الموضوع إلى إعدادات متوافقة: المشترك الموثوق لا يسمع الناشر غير الموثوق.",
        ]),
        ["fa"] = ("گره‌ها چگونه از موضوع استفاده می‌کنند؟",
        [
            "دو گره از راه یک موضوع حرف می‌زنند: یک گره پیام منتشر می‌کند و گره‌های دیگر مشترک موضوع می‌شوند.",
            "هر موضوع برای گره‌هایش یک صف دارد. ژرفای پیش‌فرض آن ۱۰ پیام است.",
            "گره‌های یک موضوع تنظیمات سازگار می‌خواهند: مشترک قابل اعتماد صدای ناشر نامطمئن را نمی‌شنود.",
        ]),
        ["zh"] = ("节点如何使用话题？",
        [
            "两个节点通过话题交谈：一个节点发布消息，其他节点订阅该话题。",
            "话题为节点保留一个队列，默认深度为10条消息。",
            "话题的节点需要兼容的设置：可靠的订阅者听不到尽力而为的发布者。",
        ]),
        ["th"] = ("โหนดใช้หัวข้ออย่างไร",
        [
            "โหนดสองตัวคุยกันผ่านหัวข้อ: โหนดหนึ่งเผยแพร่ข้อความ และโหนดอื่นสมัครรับหัวข้อนั้น",
            "หัวข้อมีคิวสำหรับโหนด ความลึกเริ่มต้นคือ 10 ข้อความ",
            "โหนดของหัวข้อต้องมีการตั้งค่าที่เข้ากันได้: ผู้รับที่เชื่อถือได้จะไม่ได้ยินผู้ส่งแบบพยายามเต็มที่",
        ]),
    };

    [Theory]
    // Only the passage that says it stays of all that were given.
    [InlineData("en", "Other nodes subscribe to the topic when one node publishes [1][2][3].", "1")]
    [InlineData("en", "The queue of a topic is 10 messages deep for its nodes [1, 2, 3].", "2")]
    [InlineData("en", "Reliable nodes of a topic never hear those that deliver with best effort [1-3].", "3")]
    [InlineData("tr", "Düğümlerden biri ileti yayımlar, ötekiler konuya abone olur [1][2][3].", "1")]
    [InlineData("tr", "Konunun kuyruğu varsayılan olarak 10 ileti derinliğindedir [1][2][3].", "2")]
    [InlineData("ar", "تنشر إحدى العقد الرسائل وتشترك فيها العقد الأخرى [1][2][3].", "1")]
    [InlineData("ar", "عمق الطابور الافتراضي للموضوع هو 10 رسائل [1][2][3].", "2")]
    [InlineData("fa", "یکی از گره‌ها پیام منتشر می‌کند و دیگران مشترک می‌شوند [1][2][3].", "1")]
    [InlineData("fa", "ژرفای پیش‌فرض صف 10 پیام است [1][2][3].", "2")]
    [InlineData("zh", "一个节点发布消息，其他节点订阅话题 [1][2][3]。", "1")]
    [InlineData("zh", "队列的默认深度是10条消息 [1][2][3]。", "2")]
    [InlineData("th", "โหนดหนึ่งเผยแพร่ข้อความ โหนดอื่นสมัครรับ [1][2][3]", "1")]
    [InlineData("th", "ความลึกเริ่มต้นของคิวคือ 10 ข้อความ [1][2][3]", "2")]
    // Two passages that each say a half stay both.
    [InlineData("en", "One node publishes messages for others to subscribe, and the default depth of the queue is 10 [1][2].", "1,2")]
    [InlineData("tr", "Biri ileti yayımlar, öteki abone olur, kuyruğun varsayılan derinliği 10 iletidir [1][2].", "1,2")]
    [InlineData("zh", "一个节点发布消息，其他节点订阅，队列默认深度为10条 [1][2]。", "1,2")]
    // A passage that was given, but does not say it.
    [InlineData("en", "Other nodes subscribe to the topic when one node publishes [2].", "")]
    [InlineData("en", "Topics of nodes are encrypted with quantum keys by default wherever satellites relay packets [1].", "")]
    [InlineData("th", "โหนดหนึ่งเผยแพร่ข้อความ โหนดอื่นสมัครรับ [3]", "")]
    // A number or code that the passage does not have.
    [InlineData("en", "The default depth of a topic's queue is 25 messages [2].", "")]
    [InlineData("zh", "队列的默认深度为25条消息 [2]。", "")]
    [InlineData("ar", "عمق الطابور الافتراضي ٢٥ رسالة [2].", "")]
    [InlineData("en", "The default depth of the queue is set by `rclpy.spin_until` [2].", "")]
    [InlineData("en", "The depth of the queue is set by `make_queue(depth)` [2].", "2")]
    // A paraphrase keeps some of the words.
    [InlineData("en", "Publishing is how a node shares what it knows with its subscribers [1].", "1")]
    [InlineData("en", "Unless told otherwise, up to ten messages wait in the queue [2].", "2")]
    // A short statement rests on the one before it.
    [InlineData("en", "The default depth is 10 messages. It may be changed [2].", "2")]
    [InlineData("en", "According to the book [1], it is so.", "1")]
    [InlineData("en", "So:\n\n1. One node publishes, others subscribe [1]\n2. The default depth is 10 [2]", "1,2")]
    // In another language only numbers, code and names tell.
    [InlineData("en", "Knoten veröffentlichen Nachrichten, und die anderen empfangen sie [1][3].", "1,3")]
    [InlineData("en", "Die Warteschlange ist ohne weitere Angaben 10 Nachrichten lang [1][2][3].", "2")]
    [InlineData("en", "Die Tiefe der Warteschlange wird mit `make_queue` gesetzt [1][2].", "2")]
    [InlineData("en", "۲۰۱۹ سے اسے پڑھا جاتا ہے [1][3]۔", "3")]
    [InlineData("en", "روبوٹ کی وضاحت URDF میں لکھی جاتی ہے [1][3]۔", "3")]
    public void A_citation_stays_where_its_passage_says_what_its_sentence_says(string language, string answer, string kept)
    {
        var (question, texts) = Books[language];
        var passages = texts.Select(text => OfflineAnswererTests.Quotable("", text)).ToArray();
        var markers = new CitationMarkers(passages.Length, new CitationCheck(question, passages).Fits);

        markers.Push(answer);
        markers.Flush();

        Assert.Equal(kept, string.Join(',', markers.Used));
    }

    /// <summary>Words of two languages cannot be compared. What was searched for, which a model has put into the book's language, can.</summary>
    [Theory]
    [InlineData(null, false, "1,2")]
    [InlineData(0.01, false, "1,2,3")]
    [InlineData(-0.01, false, "1,2")]
    [InlineData(null, true, "1,2,3")]
    public void In_another_language_a_citation_stays_where_its_passage_is_about_what_was_searched_for(double? nearness, bool isSelected, string kept)
    {
        var (question, texts) = Books["en"];
        double[] coverage = [0.8, 0.4, 0.3];
        var passages = texts.Zip(coverage, (text, share) => OfflineAnswererTests.Quotable("", text) with { Coverage = share }).ToArray();
        passages[0] = passages[0] with { Holds = isSelected ? 1000 : null };
        passages[2] = passages[2] with { Nearness = nearness };
        var markers = new CitationMarkers(passages.Length, new CitationCheck(question, passages).Fits);

        markers.Push("Knoten veröffentlichen Nachrichten, und die anderen empfangen sie [1][2][3].");
        markers.Flush();

        Assert.Equal(kept, string.Join(',', markers.Used));
    }
}
