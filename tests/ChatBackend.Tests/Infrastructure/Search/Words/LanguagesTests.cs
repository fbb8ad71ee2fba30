using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Tests.Infrastructure.Search.Words;

public sealed class LanguagesTests
{
    [Theory]
    [InlineData("How do two nodes talk to each other?", "en")]
    [InlineData("ROS 2 میں نوڈ کیا ہے؟", "ur")]
    [InlineData("node kya hai aur kaise kaam karta hai?", "ur-Latn")]
    [InlineData("ما هي العقدة في ROS 2؟", "ar")]
    [InlineData("گره چیست و چگونه کار می‌کند؟", "fa")]
    [InlineData("नोड क्या है?", "hi")]
    [InlineData("¿Qué es un nodo y cómo funciona?", "es")]
    [InlineData("什么是节点？", "zh")]
    [InlineData("ノードとは何ですか？", "ja")]
    [InlineData("노드란 무엇인가요?", "ko")]
    [InlineData("Düğüm nedir ve nasıl çalışır?", "tr")]
    [InlineData("โหนดคืออะไร", "th")]
    [InlineData("Was ist ein Knoten?", "de")]
    [InlineData("Qu'est-ce qu'un nœud et comment est-il lancé ?", "fr")]
    [InlineData("Что такое узел?", "ru")]
    [InlineData("İbn-i Batuta'nın uğradığı şehir neresidir?", "tr")]
    [InlineData("Savaş nerede son bulmuştur?", "tr")]
    // "el" is Spanish too, but no other language here has ı or ğ.
    [InlineData("El-Muvaffak hangi bileşiği ayırdı?", "tr")]
    [InlineData("Is a node in ROS 2 a process?", "en")]
    [InlineData("What was the war in Vietnam?", "en")]
    [InlineData("create_publisher", null)]
    [InlineData("42 + 1 = ?", null)]
    [InlineData("", null)]
    public void A_question_tells_its_language(string question, string? language) => Assert.Equal(language, Languages.Of(question));
}
