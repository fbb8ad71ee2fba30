using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Docusaurus;
using YamlDotNet.Serialization;

namespace ChatBackend.Tests.Features.Chat.Answering;

public sealed class BookQuestionTests
{
    private static readonly SiteOptions Site = new() { BookTitle = "Physical AI and Humanoid Robotics" };

    [Theory]
    [InlineData("What is this book about?", "Book")]
    [InlineData("whats this book about", "Book")]
    [InlineData("What's the book about?", "Book")]
    [InlineData("Hi, can you please summarize this book for me?", "Book")]
    [InlineData("Give me an overview of the whole book!", "Book")]
    [InlineData("What is Physical AI and Humanoid Robotics about?", "Book")]
    [InlineData("table of contents", "Book")]
    [InlineData("How many chapters does this book have?", "Book")]
    [InlineData("Which page should I read first?", "First")]
    [InlineData("where do I start?", "First")]
    [InlineData("I'm new, where should I start?", "First")]
    [InlineData("In which order should I read this book?", "First")]
    [InlineData("summarize chapter 2", "Chapter 2")]
    [InlineData("Summarise Chapter Two, please.", "Chapter 2")]
    [InlineData("Could you give me a summary of the second chapter?", "Chapter 2")]
    [InlineData("What is chapter 12 about?", "Chapter 12")]
    [InlineData("chapter 3", "Chapter 3")]
    [InlineData("what will I learn in module 4?", "Chapter 4")]
    [InlineData("summarize the last chapter", "Chapter -1")]
    [InlineData("chapter IV in short", "Chapter 4")]
    [InlineData("summarize chapter II", "Chapter 2")]
    [InlineData("Resume el capítulo III", "Chapter 3")]
    [InlineData("chapter viii in short", "Chapter 8")]
    [InlineData("Summarise ch. 3", "Chapter 3")]
    [InlineData("What is chapter 3?", "Chapter 3")]
    [InlineData("What is this book about, in one sentence?", "Book")]
    [InlineData("Give me a quick summary of the second chapter", "Chapter 2")]
    [InlineData("Summarize this page", "Page")]
    [InlineData("What is this chapter about?", "Page")]
    [InlineData("tldr of this page", "Page")]
    [InlineData("What are the key points of the page I'm on?", "Page")]
    [InlineData("یہ کتاب کس بارے میں ہے؟", "Book")]
    [InlineData("باب ۲ کا خلاصہ کریں", "Chapter 2")]
    [InlineData("دوسرے باب کا خلاصہ بتائیں", "Chapter 2")]
    [InlineData("مجھے کون سا صفحہ پہلے پڑھنا چاہیے؟", "First")]
    [InlineData("اس صفحے کا خلاصہ", "Page")]
    [InlineData("ye kitaab kis baare mein hai?", "Book")]
    [InlineData("baab 2 ka khulasa karo", "Chapter 2")]
    [InlineData("mujhe kaun sa page pehle parhna chahiye?", "First")]
    [InlineData("is page ka khulasa batao please", "Page")]
    [InlineData("عمّ يتحدث هذا الكتاب؟", "Book")]
    [InlineData("لخّص الفصل الثاني من فضلك", "Chapter 2")]
    [InlineData("من أين أبدأ؟", "First")]
    [InlineData("لخص هذه الصفحة", "Page")]
    [InlineData("यह किताब किस बारे में है?", "Book")]
    [InlineData("अध्याय 2 का सारांश दें", "Chapter 2")]
    [InlineData("मुझे पहले कौन सा पेज पढ़ना चाहिए?", "First")]
    [InlineData("इस पृष्ठ का सारांश बताएं", "Page")]
    [InlineData("¿De qué trata este libro?", "Book")]
    [InlineData("Resume el capítulo 2, por favor", "Chapter 2")]
    [InlineData("¿Qué página debería leer primero?", "First")]
    [InlineData("Hazme un resumen de esta página", "Page")]
    [InlineData("这本书讲什么？", "Book")]
    [InlineData("总结第二章", "Chapter 2")]
    [InlineData("请帮我总结一下第2章", "Chapter 2")]
    [InlineData("我应该先读哪一页？", "First")]
    [InlineData("总结这一页", "Page")]
    [InlineData("Bu kitap ne hakkında?", "Book")]
    [InlineData("İkinci bölüm ne anlatıyor?", "Chapter 2")]
    [InlineData("Önce hangi sayfayı okumalıyım?", "First")]
    [InlineData("Bu sayfa ne anlatıyor?", "Page")]
    [InlineData("Worum geht es in diesem Buch?", "Book")]
    [InlineData("Fasse bitte Kapitel 2 zusammen", "Chapter 2")]
    [InlineData("Können Sie mir das zweite Kapitel kurz zusammenfassen?", "Chapter 2")]
    [InlineData("Welche Seite soll ich zuerst lesen?", "First")]
    [InlineData("Gib mir eine Zusammenfassung dieser Seite", "Page")]
    [InlineData("De quoi parle ce livre ?", "Book")]
    [InlineData("Peux-tu résumer le chapitre 2, s'il te plaît ?", "Chapter 2")]
    [InlineData("Quelle page dois-je lire en premier ?", "First")]
    [InlineData("Fais-moi un résumé de cette page", "Page")]
    public void A_question_about_the_book_is_recognized_in_ten_languages(string message, string kind) => Assert.Equal(kind, Of(message));

    [Theory]
    [InlineData("What is this book's robot arm made of?")]
    [InlineData("what is chapter control?")]
    [InlineData("summarize the difference between topics and services")]
    [InlineData("summarize")]
    [InlineData("summarize this")]
    [InlineData("What does this book say about topics?")]
    [InlineData("What does chapter 2 say about quality of service?")]
    [InlineData("Which chapter explains the Kalman filter?")]
    [InlineData("Which page should I read to understand ZMP?")]
    [InlineData("Where do I start the simulation?")]
    [InlineData("Where should I start the node?")]
    [InlineData("How do I start all my nodes with a single command?")]
    [InlineData("What is the first page of a PCI bus?")]
    [InlineData("What is the last chapter's exercise about?")]
    [InlineData("Give me a summary of quality of service")]
    [InlineData("Give me an overview of the Kalman filter")]
    [InlineData("What is the structure of a URDF file?")]
    [InlineData("How is a launch file structured?")]
    [InlineData("How many joints does the robot have?")]
    [InlineData("What is a module?")]
    [InlineData("What is a lesson learned from sim-to-real?")]
    [InlineData("What is part 2 of ISO 10218 about?")]
    [InlineData("What does part 2 cover?")]
    [InlineData("Is this page about ROS 2?")]
    [InlineData("What does this page mean by best effort?")]
    [InlineData("Explain the example on this page")]
    [InlineData("Explain the second step")]
    [InlineData("Describe the book on the table to the robot")]
    [InlineData("How does the robot turn the page?")]
    [InlineData("What is about to happen when the robot falls?")]
    [InlineData("What is ROS 2 about?")]
    [InlineData("Who is this book for?")]
    [InlineData("Do I need a GPU for this course?")]
    [InlineData("What is an index?")]
    [InlineData("What is section 3.2?")]
    [InlineData("Summarize chapter 2.5")]
    [InlineData("Summarize chapters 2 and 3")]
    [InlineData("Compare chapter 2 with chapter 3")]
    [InlineData("What is in the overview of the controller?")]
    [InlineData("یہ روبوٹ کس بارے میں سوچتا ہے؟")]
    [InlineData("باب الحوائج کیا ہے؟")]
    [InlineData("دو نوڈز آپس میں کیسے بات کرتے ہیں؟")]
    [InlineData("اس کتاب میں کالمن فلٹر کہاں ہے؟")]
    [InlineData("topic ka khulasa karo")]
    [InlineData("do nodes aapas mein kaise baat karte hain?")]
    [InlineData("ما هو الفصل بين المتحكم والمحرك؟")]
    [InlineData("لخص الفرق بين المواضيع والخدمات")]
    [InlineData("من أين يبدأ الروبوت المشي؟")]
    [InlineData("संतुलन का सारांश दें")]
    [InlineData("रोबोट कहाँ से शुरू करता है?")]
    [InlineData("¿De qué trata la calidad de servicio?")]
    [InlineData("¿Qué es un índice?")]
    [InlineData("Resume la diferencia entre temas y servicios")]
    [InlineData("¿Por dónde empieza a caminar el robot?")]
    [InlineData("Robot nereden yürümeye başlar?")]
    [InlineData("Bölüm yöneticisi nedir?")]
    [InlineData("Worum geht es bei der Dienstgüte?")]
    [InlineData("Was ist ein Verzeichnis?")]
    [InlineData("De quoi parle la qualité de service ?")]
    [InlineData("Résume la différence entre sujets et services")]
    [InlineData("总结话题和服务的区别")]
    [InlineData("第一步是什么？")]
    [InlineData("这本书里的机械臂是什么做的？")]
    [InlineData("机器人从哪里开始行走？")]
    [InlineData("目录服务是什么？")]
    [InlineData("")]
    [InlineData("?!")]
    public void An_ordinary_question_is_not_taken_for_one_about_the_book(string message) => Assert.Null(Of(message));

    [Fact]
    public void No_question_of_the_sample_books_files_is_taken_for_one_about_the_book()
    {
        var questions = new[] { "tests/ChatBackend.Tests/Features/Chat/sample-book-questions.tsv", "sample-book/questions.tsv" }
            .Select(file => Path.Combine(Repository.Root, file)).Where(File.Exists)
            .SelectMany(File.ReadLines).Where(line => line.Length > 0 && line[0] != '#').Select(line => line.Split('\t')[0]).ToArray();

        Assert.True(questions.Length >= 79);
        Assert.DoesNotContain(questions, question => Of(question) is not null);
    }

    [Fact]
    public void Selected_text_makes_it_a_question_about_that_text() =>
        Assert.Null(BookQuestion.Of(new("Summarize this page", "A node is a program.", "/docs/ros2/nodes"), Site));

    [Fact]
    public void A_short_title_is_a_subject_too() => Assert.Null(BookQuestion.Of(new("What is ROS 2?", null, null), new() { BookTitle = "ROS 2" }));

    [Fact]
    public void Every_language_of_small_talk_has_its_questions()
    {
        Assert.Equal(Languages("small-talk.yaml"), Languages("book-questions.yaml"));

        static string[] Languages(string file) =>
            [.. new DeserializerBuilder().Build().Deserialize<Dictionary<string, object>>(Repository.Text($"Features/Chat/Answering/{file}")).Keys];
    }

    private static string? Of(string message) =>
        BookQuestion.Of(new(message, null, null), Site) is { } asked ? asked.Chapter == 0 ? $"{asked.Kind}" : $"{asked.Kind} {asked.Chapter}" : null;
}
